import { grouped } from '../history.ts'
import type { History } from '../history.ts'
import type { Tally } from '../tally.ts'

/** What was acknowledged, how all ended, and how the daemon behaves as a process. */
export function checkPromises(history: History, tally: Tally): void {
  checkAcknowledged(history, tally)
  checkEndpoints(history, tally)
  checkLabels(history, tally)
  checkConvergence(history, tally)
  checkBounds(history, tally)
  checkSecrecy(history, tally)
  checkExits(history, tally)
}

const isDone = (status: number | null): boolean => status !== null && status >= 200 && status < 300

/** What was answered with success is there in the end; many at once are one. */
function checkAcknowledged(history: History, tally: Tally): void {
  const book = tally.for('14 durable acknowledgements')
  const watched = grouped(
    history.log.filter(({ event }) => event.type === 'job.watched'),
    ({ event }) => event.subject,
  )
  const jobs = new Set(history.all('job').map(({ jobid }) => jobid))
  const calls = history.all('call')
  const registrations = calls.filter(({ verb }) => verb === 'register' || verb === 'race')
  const stopped = new Set(calls.filter(({ verb }) => verb === 'stop').map(({ about }) => about))
  for (const [jobid, of] of grouped(registrations, ({ about }) => about)) {
    const done = of.find(({ status }) => isDone(status))
    const told = watched.get(jobid) ?? []
    if (done !== undefined && (told.length === 0 || !jobs.has(jobid))) {
      book.lost(`${jobid} was acknowledged, and is not there`, done)
    } else book.ok()
    // One that was stopped, or lost, is watched anew when it is registered again.
    const isLost = history.log.some(
      ({ event }) => event.type === 'job.lost' && event.subject === jobid,
    )
    if (stopped.has(jobid) || isLost) continue
    const beginnings = of.filter(({ status }) => status === 201)
    if (told.length > 1) {
      book.duplicated(`${jobid} is watched ${told.length} times`, ...told.map((one) => one.record))
    } else if (beginnings.length > 1) {
      book.duplicated(`${beginnings.length} calls began to watch ${jobid}`, ...beginnings)
    } else book.ok()
  }
}

function checkEndpoints(history: History, tally: Tally): void {
  const book = tally.for('14 durable acknowledgements')
  const there = new Set(history.all('final-endpoint').map(({ name }) => name))
  for (const endpoint of history.all('endpoint')) {
    if (there.has(endpoint.name)) book.ok()
    else book.lost(`the endpoint ${endpoint.name} was acknowledged, and is gone`, endpoint)
  }
}

/** The last label that was acknowledged is there, or one that somebody tried to give after it. */
function checkLabels(history: History, tally: Tally): void {
  const book = tally.for('14 durable acknowledgements')
  const given = grouped(
    history.all('call').filter(({ label }) => label !== undefined),
    ({ about }) => about,
  )
  for (const job of history.all('job')) {
    const of = given.get(job.jobid) ?? []
    const last = of.findLastIndex(({ status }) => isDone(status))
    const [acknowledged] = of.slice(last)
    if (last === -1 || acknowledged === undefined) continue
    if (of.slice(last).some(({ label }) => label === job.label)) book.ok()
    else book.lost(`${job.jobid} has the label ${String(job.label)}`, acknowledged, job)
  }
}

/** After everything was put right and had its time, all is as it should be. */
function checkConvergence(history: History, tally: Tally): void {
  const book = tally.for('15 convergence')
  const last = new Map<string, { version: number; status: string }>()
  for (const { upstream, jobid, version, status } of history.all('version')) {
    const key = `${upstream}/${jobid}`
    if (version >= (last.get(key)?.version ?? -1)) last.set(key, { version, status })
  }
  for (const job of history.all('job')) {
    const status = last.get(`${job.upstream}/${job.jobid}`)?.status
    if (job.state === 'stopped') book.uncertain()
    else if (job.state === 'lost') book.lost(`${job.jobid} is still lost`, job)
    else if (job.status !== status) {
      book.lost(`${job.jobid} is ${String(job.status)}, and really ${String(status)}`, job)
    } else if (job.problem !== null) {
      book.unexpected(`${job.jobid} still has a problem: ${job.problem}`, job)
    } else book.ok()
  }
  for (const delivery of history.all('delivery')) {
    if (delivery.state === 'pending') {
      book.lost(`${delivery.endpoint} is still owed ${delivery.seq}`, delivery)
    } else book.ok()
  }
  for (const ready of history.all('ready')) {
    if (ready.status === 200) book.ok()
    else book.unexpected(`it is not ready: ${ready.status}`, ready)
  }
}

/** Generous: what is meant is that nothing grows without end. Hundreds of clients come at once. */
const bounds = { rssBytes: 512e6, walBytes: 128e6, openFiles: 1000 }
const filesAtRest = 100

function checkBounds(history: History, tally: Tally): void {
  const book = tally.for('17 bounds')
  for (const sample of history.all('sample')) {
    const over = (['rssBytes', 'walBytes', 'openFiles'] as const).filter(
      (name) => sample[name] > bounds[name],
    )
    if (over.length > 0) book.unexpected(`it takes up too much: ${over.join(', ')}`, sample)
    else if (sample.isAtRest && sample.openFiles > filesAtRest) {
      book.unexpected(`${sample.openFiles} files are still open at rest`, sample)
    } else book.ok()
  }
}

function checkSecrecy(history: History, tally: Tally): void {
  const book = tally.for('18 secrecy')
  for (const searched of history.all('searched')) {
    if (searched.found.length === 0) book.ok()
    else book.unexpected(`${searched.where} shows ${searched.found.join(', ')}`, searched)
  }
}

/** It ends only when it is told to, with the code that says so, and does not complain of itself. */
function checkExits(history: History, tally: Tally): void {
  const book = tally.for('19 exits')
  let told: string | null = null
  for (const record of history.all('daemon')) {
    if (record.what === 'spawned') told = null
    if (record.what === 'killed' || record.what === 'told to stop') told = record.what
    if (record.what !== 'gone') continue
    const { code = null, signal = null } = record
    const isRight =
      told === 'killed' ? signal === 'SIGKILL' || code === 0 : told !== null && code === 0
    if (isRight) book.ok()
    else book.unexpected(`it ended with ${String(code ?? signal)}, ${told ?? 'unasked'}`, record)
  }
  for (const rival of history.all('rival')) {
    if (rival.code === 1 && rival.said.includes('in use')) book.ok()
    else book.unexpected(`a second one on the same database: ${rival.said || 'runs'}`, rival)
  }
  for (const complaint of history.all('complaint')) {
    book.unexpected(`it complains: ${complaint.line.slice(0, 200)}`, complaint)
  }
}
