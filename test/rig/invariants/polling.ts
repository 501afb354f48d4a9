import { grouped } from '../history.ts'
import type { History } from '../history.ts'
import type { Tally } from '../tally.ts'
import type { Ask, UpstreamSetup } from '../trace.ts'

/** How late a request may come on a machine that has other things to do, in ms. */
const patienceMs = 3000
/** What is in flight or about to be when a request for silence arrives, in ms. */
const reactionMs = 400
const ended: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED'])

/** How the daemon asks: one request at a time for a job, often enough, and never too often. */
export function checkPolling(history: History, tally: Tally): void {
  for (const asks of asksByJob(history).values()) {
    checkOverlaps(history, tally, asks)
    checkPromptness(history, tally, asks)
  }
  for (const upstream of history.setup.upstreams) {
    const asks = history.all('ask').filter((ask) => ask.upstream === upstream.name)
    checkRate(history, tally, upstream, asks)
    checkSilence(history, tally, asks)
    checkTokens(history, tally, upstream, asks)
  }
}

/** The requests for each job, in order of time. */
export function asksByJob(history: History): Map<string, Ask[]> {
  const inOrder = [...history.all('ask')].sort((a, b) => a.at - b.at)
  return grouped(inOrder, ({ upstream, jobid }) => `${upstream}/${jobid}`)
}

function checkOverlaps(history: History, tally: Tally, asks: readonly Ask[]): void {
  const book = tally.for('1 no overlap')
  asks.slice(1).forEach((next, index) => {
    const one = asks[index]
    if (one === undefined) return
    if (next.at >= one.to) book.ok()
    // The network may tell the upstream late that the one who asked is gone.
    else if (history.isHurt(one.connection, one.at, one.to)) book.uncertain()
    else if (history.lifeAt(one.at) !== history.lifeAt(next.at)) book.uncertain()
    else book.unexpected(`${one.jobid} is asked for twice at once`, one, next)
  })
}

function checkPromptness(history: History, tally: Tally, asks: readonly Ask[]): void {
  const book = tally.for('8 promptness')
  const drained = history.phaseAt('drained') ?? Infinity
  asks.forEach((one, index) => {
    const setup = history.setup.upstreams.find(({ name }) => name === one.upstream)
    if (setup === undefined || one.version === null || !history.isSure(one)) return
    const version = history.version({ ...one, version: one.version })
    if (version === null || ended.has(version.status)) return
    const next = asks[index + 1]
    const life = history.lifeAt(one.at)
    const until = Math.min(next?.at ?? Infinity, life?.endedAt ?? 0, drained)
    if (isDisturbed(history, one, until)) return
    const allowedMs = longestPauseMs(setup) + setup.timeoutMs + patienceMs
    if (until - one.to <= allowedMs) book.ok()
    else book.lost(`${one.jobid} is not looked at for ${Math.round(until - one.to)} ms`, one)
  })
}

function longestPauseMs({ maxIntervalMs, jobs, rate }: UpstreamSetup): number {
  return Math.max(maxIntervalMs * 1.1, (jobs / rate) * 1000)
}

/** Whether something came in between that lets the job, or its upstream, wait. */
function isDisturbed(history: History, { upstream, jobid, at }: Ask, until: number): boolean {
  const isStopped = history.stopsOf(jobid).some((call) => call.at <= until)
  return isStopped || history.isPaused(at, until) || history.isAiling(upstream, at, until)
}

function checkRate(
  history: History,
  tally: Tally,
  { name, rate, concurrency }: UpstreamSetup,
  asks: readonly Ask[],
): void {
  const book = tally.for('16 politeness')
  const inOrder = [...asks].sort((a, b) => a.at - b.at)
  let first = 0
  inOrder.forEach((last, index) => {
    while ((inOrder[first]?.at ?? Infinity) <= last.at - 1000) first += 1
    const inWindow = inOrder.slice(first, index + 1)
    const life = history.lifeAt(last.at)
    // A refused token and a connection that was reset are tried once more in the same turn; what the
    // network or a stopped process holds up arrives all at once.
    const again = inWindow.filter(({ fault }) => fault !== null).length
    const allowed = rate * 1.1 + concurrency + again + 2
    const isHeldUp = life !== null && history.isPaused(last.at - 1000, last.at)
    const count = inWindow.filter(({ at }) => history.lifeAt(at) === life).length
    if (count <= allowed) book.ok()
    else if (isHeldUp) book.uncertain()
    else book.unexpected(`${name} gets ${count} requests within a second`, last)
  })
}

/** No request comes before `Retry-After` has passed. */
function checkSilence(history: History, tally: Tally, asks: readonly Ask[]): void {
  const book = tally.for('16 politeness')
  for (const told of asks) {
    const { retryAfterMs } = told
    if (retryAfterMs === null) continue
    const [from, to] = [told.to + reactionMs, told.to + retryAfterMs - 50]
    const isUnsure =
      history.isHurt(told.connection, told.at, told.to) ||
      history.isPaused(told.at, to) ||
      history.isInterrupted(told.at, to)
    const early = asks.find(({ at }) => at > from && at < to)
    if (early === undefined) book.ok()
    else if (isUnsure) book.uncertain()
    else book.unexpected(`${told.upstream} is asked although it wants silence`, told, early)
  }
}

/** A token is asked for once, and again only after a refusal. */
function checkTokens(
  history: History,
  tally: Tally,
  { name }: UpstreamSetup,
  asks: readonly Ask[],
): void {
  const book = tally.for('16 politeness')
  const requests = history.all('token-ask').filter(({ upstream }) => upstream === name)
  for (const life of history.lives) {
    const isIn = ({ at }: { at: number }) => at >= life.from && at <= life.goneAt
    const ofLife = requests.filter(isIn)
    const refusals = asks.filter((ask) => ask.fault === 'token' && isIn(ask)).length
    const inVain = ofLife.filter(({ isGiven }) => !isGiven).length
    const [last] = ofLife.slice(-1)
    if (last === undefined) continue
    if (ofLife.length <= 1 + refusals + inVain) book.ok()
    else book.unexpected(`${name} is asked for ${ofLife.length} tokens in one life`, last)
  }
}
