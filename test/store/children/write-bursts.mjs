// Writes to the store of the built daemon until it is killed, and says on standard output what was
// acknowledged, one JSON document a line: `{ jobid, seqs }` for events, `{ delivered }` for deliveries.
import process from 'node:process'
import { setImmediate } from 'node:timers'
import { openSqliteStore } from '../../../dist/store/sqlite/store.js'

const [, , file, round] = process.argv
const store = openSqliteStore({ file, overtakeMs: 300_000, now: () => Date.now() })
const [all] = await store.syncEndpoints(
  [endpoint('all', {}), endpoint('stages', { types: ['job.stage.changed'] })],
  Date.now(),
)
function endpoint(name, filter) {
  const nowhere = { url: null, mail: null, secret: null, headers: {} }
  return { name, format: 'slack', filter, fold: false, timeoutMs: 15_000, ...nowhere }
}
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

/** Registers a job, looks at it again and again and stops it. */
async function live(jobid) {
  const key = { upstream: 'prod', jobid }
  let { job } = await store.registerJob(key, Date.now())
  say({ jobid, seqs: [job.lastSeq] })
  for (let look = 0; look < 20; look += 1) {
    const drafts = Array.from({ length: look % 4 }, (_, n) => ({
      type: n === 2 ? 'job.executing' : 'job.stage.changed',
      change: { kind: 'stage', stage: `s${look}.${n}`, occurrence: 1, from: null, to: 'running' },
    }))
    const at = Date.now()
    const document = JSON.stringify({ jobid, look, padding: 'x'.repeat((look * 997) % 20_000) })
    const next = { ...job, name: `look ${look}`, polledAt: at }
    const result = await store.commitLook({ job: next, drafts, document, at })
    job = result.job
    say({ jobid, seqs: drafts.map((_, n) => job.lastSeq - n) })
  }
  await store.stopJob(key, Date.now())
  say({ jobid, seqs: [(await store.findJob(key)).lastSeq] })
}

/** Delivers what is due, as the dispatcher would. */
async function dispatch() {
  for (;;) {
    const now = Date.now()
    const due = await store.readDue({ endpointId: all.id, now, limit: 8 })
    await Promise.all(
      due.map(async ({ id: deliveryId, endpointId, event }) => {
        const result = { verdict: 'delivered', at: now, durationMs: 1, status: 204 }
        await store.recordAttempt({
          ...{ deliveryId, endpointId, now },
          result: { ...result, error: null, answer: '', retryAfterMs: null },
          after: { state: 'delivered', dueAt: null, pauseUntil: null },
        })
        say({ delivered: event.seq })
      }),
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function work(worker) {
  for (let n = 0; ; n += 1) await live(`r${round}-w${worker}-${n}`)
}

await Promise.all([work(0), work(1), work(2), work(3), dispatch()])
