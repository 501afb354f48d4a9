// Yardstick (c): what the daemon does with a look that shows a change, in one straight line and for
// nothing but well-formed documents whose stages change: poll, compare, one commit per tick, signed
// POST, SSE write. It goes on from a database that the daemon has made and in which every job has been
// seen, writes the same rows and sends the same bytes (test/bench/straight-line.test.ts).
import Database from 'better-sqlite3'
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { Pool } from 'undici'

const stageStates = { pending: 'pending', started: 'running', completed: 'completed' }

/**
 * @param {{ file: string, root: string, hook: string, intervalMs: number, batch: number, now?: () => number }} options
 *   `root` is the upstream's, `hook` the one endpoint's URL; `batch` is how many jobs a tick takes at most
 */
export async function straightLine({ file, root, hook, intervalMs, batch, now = Date.now }) {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  const sql = statements(db)
  const { epoch } = db.prepare('SELECT epoch FROM epochs').get()
  const endpoint = db.prepare('SELECT id, secret FROM endpoints').get()
  const key = Buffer.from(endpoint.secret.slice('whsec_'.length), 'base64')
  let { seq } = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).get()
  let { id: deliveryId } = db.prepare('SELECT max(id) AS id FROM deliveries').get()
  const jobs = db.prepare('SELECT * FROM jobs ORDER BY id').all().map(toJob)

  const upstream = new Pool(new URL(root).origin, { connections: batch })
  const receiver = new Pool(new URL(hook).origin, { connections: batch })
  const jobsPath = `${new URL(root).pathname}/jobs/`
  const hookPath = new URL(hook).pathname

  const readers = new Set()
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('retry: 1000\n\n')
    readers.add(response)
    response.on('close', () => readers.delete(response))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

  /** The jobs in the order in which they are due, from `next` on, round and round. */
  let next = 0
  /** Of the tick before: they are written with what this one writes. */
  let attempts = []

  /** Looks at what is due and tells what has changed; answers how long there is nothing to do, in ms. */
  async function tick() {
    const due = []
    while (due.length < Math.min(batch, jobs.length) && jobs[next].dueAt <= now()) {
      due.push(jobs[next])
      jobs[next].dueAt = now() + intervalMs
      next = (next + 1) % jobs.length
    }
    if (due.length === 0 && attempts.length === 0) return Math.max(1, jobs[next].dueAt - now())
    const looks = await Promise.all(due.map(look))
    const events = commit(
      looks.filter((one) => one !== null),
      attempts,
    )
    const posts = events.map(post)
    const bytes = Buffer.from(events.map(frameOf).join(''))
    if (events.length > 0) for (const reader of readers) reader.write(bytes)
    attempts = await Promise.all(posts)
    return 0
  }

  async function look(job) {
    const { body } = await upstream.request({
      method: 'GET',
      path: `${jobsPath}${job.jobid}?f=json`,
      headers: { authorization: 'Bearer none', accept: 'application/json' },
    })
    const text = await body.text()
    if (text === job.text) return null
    job.text = text
    const document = JSON.parse(text)
    return { job, document, at: now() }
  }

  async function post({ deliveryId, id, text }) {
    const at = now()
    const timestamp = Math.floor(at / 1000)
    const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64')
    const startedAt = performance.now()
    const { statusCode, body } = await receiver.request({
      method: 'POST',
      path: hookPath,
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': `v1,${mac}`,
      },
      body: text,
    })
    const answer = await body.text()
    return { deliveryId, at, durationMs: performance.now() - startedAt, status: statusCode, answer }
  }

  /** Writes looks and attempts; answers with the events to be sent. */
  const commit = db.transaction((looks, attempts) => {
    for (const { deliveryId, at, durationMs, status, answer } of attempts) {
      sql.insertAttempt.run(deliveryId, at, Math.round(durationMs), status, answer)
      sql.finish.run(now(), deliveryId)
    }
    if (attempts.length > 0) sql.noteDelivered.run(now(), endpoint.id)
    const events = []
    for (const { job, document, at } of looks) {
      const { stages } = document.progress
      const before = job.stages
      job.stages = stages.map((stage, n) => toStage(stage, before[n], at))
      const drafts = job.stages.filter((stage, n) => stage !== before[n])
      if (drafts.length === 0) continue
      for (const stage of drafts) {
        seq += 1
        const id = `${epoch}-${seq}`
        const type = 'job.stage.changed'
        const from = before[job.stages.indexOf(stage)].state
        const text = JSON.stringify(eventOf(job, document, { id, type, seq, at, stage, from }))
        sql.insertEvent.run(seq, type, job.upstream, job.jobid, text)
        deliveryId += 1
        sql.insertDelivery.run(deliveryId, endpoint.id, seq, type, job.upstream, job.jobid, at, at)
        job.lastSeq = seq
        events.push({ id, type, text, deliveryId })
      }
      job.revision += 1
      const snapshot = JSON.stringify(snapshotOf(job, document))
      sql.updateJob.run(job.revision, snapshot, at, at, job.lastSeq, job.id)
      sql.putDocument.run(job.text, job.id)
    }
    return events
  })

  return {
    streamUrl: `http://127.0.0.1:${server.address().port}/v1/events/stream`,
    tick,
    async close() {
      for (const reader of readers) reader.end()
      server.close()
      await Promise.all([upstream.close(), receiver.close()])
      db.close()
    },
  }
}

function toJob(row) {
  return {
    ...{ id: row.id, revision: row.revision, upstream: row.upstream, jobid: row.jobid },
    ...{ watchedAt: row.watched_at, lastSeq: row.last_seq },
    stages: JSON.parse(row.snapshot).stages,
    text: '',
    dueAt: 0,
  }
}

/** The stage as it was when it is the same, else as it is now. */
function toStage({ name, state: rawState }, before, at) {
  const state = stageStates[rawState]
  if (state === before.state) return before
  const startedAt = state === 'pending' ? null : (before.startedAt ?? at)
  const endedAt = state === 'completed' ? at : null
  return { name, occurrence: 1, state, rawState, startedAt, endedAt }
}

/** What a document says, as rows and events have it alike. */
function factsOf({ status, name, operationURI, resource, username, requestID }) {
  return {
    ...{ rawStatus: status, outcome: null, reason: null, name, operation: operationURI },
    ...{ resource: resource.name, username, requestId: requestID },
  }
}

function snapshotOf(job, document) {
  const { starttime: startedAt, updatedtime: updatedAt } = document
  const times = { startedAt, endedAt: null, updatedAt }
  const rest = { furtherStages: { done: 0, total: 0 }, messages: [], result: null, resultBytes: 0 }
  return { ...factsOf(document), ...times, stages: job.stages, ...rest }
}

const frameOf = ({ id, type, text }) => `id: ${id}\nevent: ${type}\ndata: ${text}\n\n`

const isoTime = (ms) => (ms === null ? null : new Date(ms).toISOString())

function eventOf(job, document, { id, type, seq, at, stage, from }) {
  const { jobid, upstream } = job
  const { name, state: to, rawState: rawTo } = stage
  const time = isoTime(at)
  const data = {
    seq,
    previousSeq: job.lastSeq,
    change: { kind: 'stage', stage: name, occurrence: 1, from, to, rawTo },
    job: { ...viewOf(job, document, at), lastSeq: seq },
  }
  return {
    specversion: '1.0',
    id,
    source: `/upstreams/${upstream}/jobs/${jobid}`,
    type,
    subject: jobid,
    time,
    datacontenttype: 'application/json',
    data,
  }
}

const timesOf = (one) => ({ startedAt: isoTime(one.startedAt), endedAt: isoTime(one.endedAt) })

function viewOf({ jobid, upstream, stages, watchedAt }, document, at) {
  const { starttime, updatedtime, resource, name } = document
  const done = stages.filter(({ state }) => state === 'completed').length
  return {
    jobid,
    upstream,
    state: 'active',
    title: `${name} ${resource.name.replace(/ \(id: [^)]*\)$/, '')}`,
    status: 'EXECUTING',
    ...factsOf(document),
    startedAt: isoTime(starttime),
    endedAt: null,
    updatedAt: isoTime(updatedtime),
    durationMs: at - starttime,
    stages: stages.map((one) => ({ ...one, ...timesOf(one) })),
    progress: { done, total: stages.length },
    ...{ messages: [], messageCount: 0, result: null, resultBytes: 0, label: null, tags: [] },
    ...{ stallAfter: null, deadline: null, eta: null, typicalDurationMs: null },
    watchedAt: isoTime(watchedAt),
    changedAt: isoTime(at),
  }
}

function statements(db) {
  return {
    insertEvent: db.prepare(`INSERT INTO events (seq, type, upstream, jobid, tags, text)
      VALUES (?, ?, ?, ?, '[]', ?)`),
    insertDelivery: db.prepare(`INSERT INTO deliveries
      (id, endpoint_id, seq, type, upstream, jobid, state, due_at, created_at)
      VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?)`),
    insertAttempt: db.prepare(`INSERT INTO attempts
      (delivery_id, number, at, duration_ms, status, answer) VALUES (?, 1, ?, ?, ?, ?)`),
    updateJob: db.prepare(`UPDATE jobs
      SET revision = ?, snapshot = ?, polled_at = ?, changed_at = ?, last_seq = ? WHERE id = ?`),
    putDocument: db.prepare('UPDATE documents SET text = ? WHERE job_id = ?'),
    finish: db.prepare(`UPDATE deliveries
      SET state = 'delivered', attempt_count = 1, due_at = NULL, finished_at = ? WHERE id = ?`),
    noteDelivered: db.prepare('UPDATE endpoints SET last_delivered_at = ? WHERE id = ?'),
  }
}
