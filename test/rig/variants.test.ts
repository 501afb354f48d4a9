import { rm } from 'node:fs/promises'
import PQueue from 'p-queue'
import { describe, expect, test } from 'vitest'
import { buildBroken, variants } from './broken.ts'
import type { Variant } from './broken.ts'
import { runRig } from './rig.ts'

/** The same short run for each of them, but for the kills. */
const run = { seed: 5, seconds: 6, jobs: 120, restMs: 300, drainMs: 2000 }

const tried = variants.filter(
  ({ isOnDemand = false }) => !isOnDemand || process.env['RIG_VARIANTS'] === 'all',
)

/** They wait more than they work. */
const queue = new PQueue({ concurrency: 3 })

describe.concurrent('the rig finds the fault of a daemon that', () => {
  test.for(tried)('$name', { timeout: 180_000 }, async (variant, { expect: expectHere }) => {
    const { text, findings, missed } = await queue.add(() => findFaults(variant))
    expectHere(missed, text).toEqual([])
    for (const { witness } of findings) expect(witness.length).toBeGreaterThan(0)
  })
})

async function findFaults({ edits, breaks, killedAtMs = [] }: Variant) {
  const blows = killedAtMs.map((atMs) => ({ atMs, how: 'kill', forMs: 0 }) as const)
  await using broken = await buildBroken({ edits })
  const { report, text, folder } = await runRig({ ...run, blows, program: broken.program })
  await rm(folder, { recursive: true, force: true })
  const found = new Set(report.findings.map(({ invariant }) => invariant))
  return { text, findings: report.findings, missed: breaks.filter((name) => !found.has(name)) }
}
