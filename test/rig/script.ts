import { Random } from './random.ts'

/** What a job shows from a time on, in jobwatch's words. */
export interface ScriptedVersion {
  /** Since the beginning of the load. */
  readonly atMs: number
  readonly status: string
  readonly stages: Readonly<Record<string, string>>
}

export interface ScriptedJob {
  readonly upstream: string
  readonly jobid: string
  /** How it is registered: alone, with others, or a hundred times at once. */
  readonly how: 'single' | 'batch' | 'race'
  readonly registerAtMs: number
  /** When somebody stops the watching for a while; null for most. */
  readonly stopAtMs: number | null
  /** When its upstream knows nothing of it; null for most. */
  readonly absence: { readonly fromMs: number; readonly toMs: number } | null
  readonly versions: readonly ScriptedVersion[]
}

export interface ScriptedBlow {
  readonly atMs: number
  readonly how: 'kill' | 'stop' | 'pause'
  readonly forMs: number
}

/** All that happens in a run, as far as it does not depend on what the daemon does. */
export interface Script {
  readonly seed: number
  readonly loadMs: number
  readonly jobs: readonly ScriptedJob[]
  readonly blows: readonly ScriptedBlow[]
  readonly outages: readonly {
    readonly upstream: string
    readonly atMs: number
    readonly forMs: number
  }[]
}

export interface ScriptOptions {
  readonly seed: number
  readonly seconds: number
  readonly jobs: number
}

export const upstreamNames = ['prod', 'lab'] as const

/** The same options, the same script. */
export function writeScript({ seed, seconds, jobs }: ScriptOptions): Script {
  const random = new Random(seed)
  const loadMs = seconds * 1000
  return {
    seed,
    loadMs,
    jobs: Array.from({ length: jobs }, (_, number) => writeJob(random, number, loadMs)),
    blows: writeBlows(random, loadMs),
    outages: [
      {
        upstream: 'lab',
        atMs: loadMs * random.between(0.2, 0.6),
        forMs: Math.min(4000, loadMs / 5),
      },
    ],
  }
}

function writeJob(random: Random, number: number, loadMs: number): ScriptedJob {
  const upstream = upstreamNames[number % 2] ?? 'prod'
  const registerAtMs = loadMs * 0.7 * random.next() ** 2
  const absentAtMs = registerAtMs + random.between(-500, loadMs / 4)
  const absence = { fromMs: absentAtMs, toMs: absentAtMs + random.between(500, 5000) }
  return {
    upstream,
    jobid: `${upstream}-${number}`,
    how: random.oneOf({ batch: 0.4, race: 0.03 }) ?? 'single',
    registerAtMs,
    stopAtMs: random.chance(0.05) ? registerAtMs + random.between(500, loadMs / 2) : null,
    absence: random.chance(0.1) ? absence : null,
    versions: writeVersions(random, registerAtMs, loadMs),
  }
}

const stageNames = ['validate', 'copy', 'index', 'publish', 'clean'] as const
const nextState: Readonly<Record<string, string>> = { pending: 'running', running: 'completed' }

/** A job that goes from stage to stage until it ends; a few run again after that. */
function writeVersions(random: Random, fromMs: number, loadMs: number): ScriptedVersion[] {
  let stages: Record<string, string> = Object.fromEntries(
    stageNames.slice(0, random.int(1, 5)).map((name) => [name, 'pending']),
  )
  let atMs = fromMs * random.next()
  const versions: ScriptedVersion[] = [
    { atMs, status: random.chance(0.5) ? 'SUBMITTED' : 'EXECUTING', stages },
  ]
  const paceMs = random.between(400, loadMs / 5)
  for (;;) {
    atMs += paceMs * random.between(0.2, 1.8)
    if (atMs >= loadMs) break
    const going = Object.keys(stages).find((name) => stages[name] !== 'completed')
    if (going === undefined) break
    stages = { ...stages, [going]: nextState[stages[going] ?? ''] ?? 'completed' }
    if (random.chance(0.05)) stages = { ...stages, [`extra-${versions.length}`]: 'pending' }
    if (random.chance(0.03) && Object.keys(stages).length > 1) {
      stages = Object.fromEntries(Object.entries(stages).filter(([name]) => name !== going))
    }
    versions.push({ atMs, status: 'EXECUTING', stages })
    if (random.chance(0.02)) {
      atMs += 300
      versions.push({ atMs, status: 'CANCELLING', stages })
    }
  }
  versions.push(ending(random, stages, Math.min(atMs, loadMs)))
  if (random.chance(0.1) && atMs + 3000 < loadMs) {
    // Within the two more looks that an ended job gets, or not.
    versions.push({ atMs: atMs + random.between(500, 3000), status: 'EXECUTING', stages })
    versions.push(ending(random, stages, loadMs))
  }
  return versions
}

/** An end that looks finished: it is believed at once. */
function ending(random: Random, stages: Readonly<Record<string, string>>, atMs: number) {
  const status = random.oneOf({ FAILED: 0.2, CANCELLED: 0.1 }) ?? 'COMPLETED'
  const last = status === 'COMPLETED' ? 'completed' : 'failed'
  const ended = Object.entries(stages).map(([name, state]) => [
    name,
    state === 'completed' ? state : last,
  ])
  return { atMs, status, stages: Object.fromEntries(ended) as Record<string, string> }
}

/** Blows that come when they come, but never before the daemon was up for a while. */
function writeBlows(random: Random, loadMs: number): ScriptedBlow[] {
  const blows: ScriptedBlow[] = []
  for (let atMs = random.between(1500, 4000); atMs < loadMs - 1000;) {
    const how = random.oneOf({ stop: 0.15, pause: 0.15 }) ?? 'kill'
    blows.push({
      atMs,
      how,
      forMs: how === 'pause' ? random.between(300, 2500) : random.between(0, 600),
    })
    atMs += random.between(1800, 5000)
  }
  return blows
}
