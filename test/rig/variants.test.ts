import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { buildBroken, variants } from './broken.ts'
import { runRig } from './rig.ts'

// The same run for each of them; one in which the daemon is killed, refused and left waiting.
const run = { seed: 5, seconds: 8, jobs: 40, restMs: 300, drainMs: 4000 }

describe('the rig finds the fault of a daemon that', () => {
  test.each(variants)('$name', { timeout: 90_000 }, async ({ edits, breaks }) => {
    await using broken = await buildBroken({ edits })
    const { report, text, folder } = await runRig({ ...run, program: broken.program })
    await rm(folder, { recursive: true, force: true })
    const found = new Set(report.findings.map(({ invariant }) => invariant))
    expect(
      breaks.filter((name) => !found.has(name)),
      text,
    ).toEqual([])
    for (const { witness } of report.findings) expect(witness.length).toBeGreaterThan(0)
  })
})
