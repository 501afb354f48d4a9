import Database from 'better-sqlite3'
import { setTimeout as pause } from 'node:timers/promises'
import type { Clients } from './clients.ts'
import type { Reader } from './readers.ts'
import type { Script } from './script.ts'
import { now } from './trace.ts'
import type { Trail } from './trail.ts'

interface List<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

async function readAll<Item>(clients: Clients, path: string): Promise<Item[]> {
  const all: Item[] = []
  let cursor = ''
  for (;;) {
    const page = await clients.read(`${path}${path.includes('?') ? '&' : '?'}limit=1000${cursor}`)
    const { items, next } = JSON.parse(page) as List<Item>
    all.push(...items)
    if (next === null) return all
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
}

interface JobView {
  readonly upstream: string
  readonly jobid: string
  readonly state: string
  readonly status: string | null
  readonly problem: { readonly kind: string } | null
  readonly label: string | null
}

/** Waits until nothing more is owed to anybody; false when that takes too long. */
export async function drained({
  clients,
  script,
  readers,
  restMs,
  drainMs,
}: {
  readonly clients: Clients
  readonly script: Script
  readonly readers: readonly Reader[]
  readonly restMs: number
  readonly drainMs: number
}): Promise<boolean> {
  const giveUpAt = now() + drainMs
  const isAtRest = async (): Promise<boolean> => {
    const jobs = await readAll<JobView>(clients, '/v1/jobs')
    if (jobs.length < script.jobs.length) return false
    if (jobs.some(({ state, problem }) => state !== 'ended' || problem !== null)) return false
    const pending = await readAll<object>(clients, '/v1/deliveries?state=pending')
    if (pending.length > 0) return false
    const { newest } = JSON.parse(await clients.read('/v1/events?last=1')) as { newest: number }
    return readers.every(({ position }) => Number(position?.split('-')[1]) >= newest - 50)
  }
  while (now() < giveUpAt) {
    if (await isAtRest()) {
      // The last two looks at a job that has ended, and what is on its way to readers.
      await pause(restMs)
      if (await isAtRest()) return true
    }
    await pause(300)
  }
  return false
}

/** Writes down how everything is in the end; answers all that the API has said of it. */
export async function writeEnd(clients: Clients, trail: Trail): Promise<string> {
  const texts: string[] = []
  const keep = (all: readonly object[]): void => void texts.push(JSON.stringify(all))
  const jobs = await readAll<JobView>(clients, '/v1/jobs')
  keep(jobs)
  for (const { upstream, jobid, state, status, problem, label } of jobs) {
    const of = { upstream, jobid, state, status, problem: problem?.kind ?? null, label }
    trail.write({ kind: 'job', ...of })
  }
  interface DeliveryView {
    readonly endpoint: string
    readonly seq: number
    readonly state: string
    readonly attemptCount: number
  }
  const deliveries = await readAll<DeliveryView>(clients, '/v1/deliveries')
  keep(deliveries)
  for (const { endpoint, seq, state, attemptCount } of deliveries) {
    trail.write({ kind: 'delivery', endpoint, seq, state, attemptCount })
  }
  const endpoints = await readAll<{ name: string; state: string }>(clients, '/v1/endpoints')
  keep(endpoints)
  for (const { name, state } of endpoints) trail.write({ kind: 'final-endpoint', name, state })
  const ready = await clients.call('/readyz')
  trail.write({ kind: 'ready', at: now(), status: ready?.status ?? 0 })
  for (const path of ['/metrics', '/v1/upstreams']) texts.push(await clients.read(path))
  for (const [id, text] of await clients.readLog()) {
    texts.push(text)
    trail.write({ kind: 'logged', via: 'api', id, text })
  }
  return texts.join('\n')
}

/** The log as it lies in the file, after everyone has left it. */
export function writeDatabaseLog(file: string, trail: Trail): void {
  const db = new Database(file, { readonly: true })
  try {
    const rows = db.prepare<[], { text: string }>('SELECT text FROM events ORDER BY seq').all()
    for (const { text } of rows) {
      const { id } = JSON.parse(text) as { id: string }
      trail.write({ kind: 'logged', via: 'database', id, text })
    }
  } finally {
    db.close()
  }
}
