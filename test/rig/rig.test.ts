import { expect, test } from 'vitest'
import { runRig } from './rig.ts'

const seed = Number(process.env['RIG_SEED'] ?? Date.now() % 1_000_000)

test(
  `amid kills and faults of all kinds, the daemon keeps what it promises (RIG_SEED=${seed})`,
  { timeout: 180_000 },
  async () => {
    const { report, text, folder } = await runRig({ seed, seconds: 16, jobs: 70 })
    expect(report.findings.length, `${text}\nThe traces are in ${folder}`).toBe(0)
    // A run in which nothing happened would have proved nothing.
    for (const [invariant, { ok }] of report.counts) expect(ok, invariant).toBeGreaterThan(0)
  },
)
