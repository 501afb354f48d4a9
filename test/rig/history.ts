import type { EventAnswer } from '../../src/http/schemas.ts'
import { sha } from './trace.ts'
import type { Ask, Call, DaemonRecord, Logged, Setup, TraceRecord, Version } from './trace.ts'

/** One process of the daemon. */
export interface Life {
  /** When it was up and began to send, or when it was spawned if it never came so far. */
  readonly from: number
  /** When it was killed or told to stop; what it did after that may not have come to its end. */
  readonly endedAt: number
  readonly goneAt: number
  readonly isKilled: boolean
}

/** An event of the final log, as its readers have it. */
export interface LogEntry {
  readonly record: Logged
  readonly seq: number
  readonly sha: string
  readonly event: EventAnswer
}

export type Of<Kind extends TraceRecord['kind']> = Extract<TraceRecord, { readonly kind: Kind }>

/** After so long a daemon that lives has taken in and recorded what it got. */
const settleMs = 2000
/** So long before it is noticed that a daemon is up it may have begun to send, in ms. */
const noticeMs = 150
/** So long the network may hold back what a daemon sent before its end, at most. */
const delayMs = 500
/** So long after that an upstream may still be left alone. */
const ailingMs = 3000

/** The trace, put in order for those who look something up in it. */
export class History {
  readonly setup: Setup
  readonly lives: readonly Life[]
  readonly pauses: readonly { readonly from: number; readonly to: number }[]
  /** The log as the database has it, in order of seq. */
  readonly log: readonly LogEntry[]
  readonly entryById: ReadonlyMap<string, LogEntry>
  readonly #byKind = new Map<string, TraceRecord[]>()
  readonly #hurtAt: ReadonlyMap<string, readonly number[]>
  readonly #versions: ReadonlyMap<string, Version>
  readonly #stops: ReadonlyMap<string, readonly Call[]>
  readonly #faultTimes: ReadonlyMap<string, readonly number[]>

  constructor(records: readonly TraceRecord[]) {
    for (const record of records) {
      const same = this.#byKind.get(record.kind)
      if (same === undefined) this.#byKind.set(record.kind, [record])
      else same.push(record)
    }
    const [setup] = this.all('setup')
    if (setup === undefined) throw new Error('a trace begins with its setup')
    this.setup = setup
    this.lives = livesOf(this.all('daemon'))
    this.pauses = pausesOf(this.all('daemon'))
    this.log = this.all('logged')
      .filter(({ via }) => via === 'database')
      .map(toEntry)
      .sort((a, b) => a.seq - b.seq)
    this.entryById = new Map(this.log.map((entry) => [entry.record.id, entry]))
    const hurts = grouped(this.all('hurt'), ({ connection }) => connection)
    this.#hurtAt = new Map([...hurts].map(([key, of]) => [key, of.map(({ at }) => at)]))
    this.#versions = new Map(this.all('version').map((one) => [versionKey(one), one]))
    const stops = this.all('call').filter(({ verb }) => verb === 'stop')
    this.#stops = grouped(stops, ({ about }) => about)
    const silences = this.all('ask').filter(({ retryAfterMs }) => retryAfterMs !== null)
    const faults = [...silences, ...this.all('outage')]
    this.#faultTimes = new Map(
      [...grouped(faults, ({ upstream }) => upstream)].map(([upstream, of]) => [
        upstream,
        of.map(({ to }) => to).sort((a, b) => a - b),
      ]),
    )
  }

  /** All records of a kind, in the order of the trace. */
  all<Kind extends TraceRecord['kind']>(kind: Kind): readonly Of<Kind>[] {
    return (this.#byKind.get(kind) ?? []) as Of<Kind>[]
  }

  phaseAt(phase: Of<'phase'>['phase']): number | null {
    return this.all('phase').find((one) => one.phase === phase)?.at ?? null
  }

  version(of: Pick<Version, 'upstream' | 'jobid' | 'version'>): Version | null {
    return this.#versions.get(versionKey(of)) ?? null
  }

  /** The calls that ended the watching of a job. */
  stopsOf(jobid: string): readonly Call[] {
    return this.#stops.get(jobid) ?? []
  }

  /** Whether an upstream was away or wanted silence, then or so shortly before that it counts. */
  isAiling(upstream: string, from: number, to: number): boolean {
    const next = firstAfter(this.#faultTimes.get(upstream) ?? [], from - ailingMs)
    return next !== undefined && next <= to
  }

  /**
   * The life in which something was sent that arrived then. The network may deliver it after its
   * sender's end, but not after the next one has come up.
   */
  lifeAt(at: number): Life | null {
    return this.lives.findLast(({ from }) => from <= at) ?? null
  }

  /** Whether a connection was meddled with at a time that could have hurt what it carried. */
  isHurt(connection: string, from: number, to: number): boolean {
    const times = this.#hurtAt.get(connection) ?? []
    // What was on its way already may have arrived at its end, but no answer comes back.
    return times.some((at) => at >= from - settleMs && at <= to + settleMs)
  }

  /** Whether the daemon was paused in between, or so shortly before that what it began was late. */
  isPaused(from: number, to: number): boolean {
    return this.pauses.some((pause) => pause.from <= to + delayMs && pause.to >= from - delayMs)
  }

  /** Whether a daemon ended in between, or too soon after it to have recorded what it got. */
  isInterrupted(from: number, to: number): boolean {
    return this.lives.some(({ endedAt }) => endedAt >= from - delayMs && endedAt <= to + settleMs)
  }

  /** Whether the daemon has surely got this answer. */
  isSure({ at, to, version, connection, upstream }: Ask): boolean {
    const setup = this.setup.upstreams.find(({ name }) => name === upstream)
    const isInTime = to - at < (setup?.timeoutMs ?? 0) / 2
    const isLeftAlone = !this.isHurt(connection, at, to) && !this.isPaused(at, to)
    return version !== null && isInTime && isLeftAlone
  }

  /** Whether the daemon that got this answer has surely taken it in, `next` being its next request. */
  isSettled(ask: Ask, next: Ask | undefined): boolean {
    const life = this.lifeAt(ask.at)
    if (life === null || !this.isSure(ask)) return false
    const hasGoneOn = next !== undefined && next.at > ask.to && next.at <= life.endedAt
    return hasGoneOn || life.endedAt >= ask.to + settleMs
  }
}

export function grouped<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/** Whether a type fits one of the globs, as the contract's section 6 has them. */
export function fits(type: string, globs: readonly string[]): boolean {
  return globs.some((glob) => {
    const pattern = glob.replaceAll('.', '\\.').replaceAll('*', '.*')
    return new RegExp(`^${pattern}$`).test(type)
  })
}

/** The first of the numbers, which are in order, that is greater. */
export function firstAfter(sorted: readonly number[], after: number): number | undefined {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? Infinity) <= after) low = middle + 1
    else high = middle
  }
  return sorted[low]
}

/** The seq that an id ends with; NaN for what is no id. */
export function seqOf(id: string): number {
  return Number(/-(\d+)$/.exec(id)?.[1] ?? NaN)
}

function toEntry(record: Logged): LogEntry {
  const event = JSON.parse(record.text) as EventAnswer
  return { record, event, seq: seqOf(record.id), sha: sha(record.text) }
}

function versionKey({ upstream, jobid, version }: Pick<Version, 'upstream' | 'jobid' | 'version'>) {
  return `${upstream}/${jobid}/${version}`
}

function livesOf(records: readonly DaemonRecord[]): Life[] {
  const lives: Life[] = []
  let life: { from: number; endedAt: number | null; isKilled: boolean } | null = null
  for (const { what, at } of records) {
    if (what === 'spawned') life = { from: at, endedAt: null, isKilled: false }
    if (life === null) continue
    if (what === 'ready') life.from = Math.max(life.from, at - noticeMs)
    if (what === 'killed' || what === 'told to stop') {
      life.endedAt ??= at
      life.isKilled ||= what === 'killed'
    }
    if (what !== 'gone') continue
    lives.push({ ...life, endedAt: life.endedAt ?? at, goneAt: at })
    life = null
  }
  if (life !== null) lives.push({ ...life, endedAt: Infinity, goneAt: Infinity })
  return lives
}

function pausesOf(records: readonly DaemonRecord[]) {
  return records.flatMap(({ what, at }, index) => {
    if (what !== 'paused') return []
    const end = records
      .slice(index + 1)
      .find((one) => one.what === 'resumed' || one.what === 'gone')
    return [{ from: at, to: end?.at ?? Infinity }]
  })
}
