// The rows that the registration of a job leaves, written with no more than that needs.

const jobsPerCommit = 1000

const unseen = {
  rawStatus: null,
  outcome: null,
  reason: null,
  name: null,
  operation: null,
  resource: null,
  username: null,
  requestId: null,
  startedAt: null,
  endedAt: null,
  updatedAt: null,
}

/** Writes jobs that are new, by upstream and jobid, and the event of each. */
export function writeJobs(db, jobs, { epoch, now }) {
  const insertJob = db.prepare(
    `INSERT INTO jobs (revision, upstream, jobid, state, snapshot, search, tags, watched_at, last_seq)
     VALUES (1, ?, ?, 'active', ?, ?, '[]', ?, ?)`,
  )
  const insertEvent = db.prepare(
    `INSERT INTO events (seq, type, upstream, jobid, tags, text)
     VALUES (?, 'job.watched', ?, ?, '[]', ?)`,
  )
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  let seq = db.prepare('SELECT max(seq) FROM events').pluck().get() ?? 0
  for (let from = 0; from < jobs.length; from += jobsPerCommit) {
    begin.run()
    for (const { upstream, jobid } of jobs.slice(from, from + jobsPerCommit)) {
      seq += 1
      const watchedAt = now()
      const snapshot = {
        ...unseen,
        stages: [],
        furtherStages: { done: 0, total: 0 },
        messages: [],
        result: null,
        resultBytes: 0,
      }
      const search = `${jobid}\n${jobid}`.toUpperCase()
      const event = watchedEvent({ upstream, jobid, epoch, seq, watchedAt })
      insertEvent.run(seq, upstream, jobid, JSON.stringify(event))
      insertJob.run(upstream, jobid, JSON.stringify(snapshot), search, watchedAt, seq)
    }
    commit.run()
  }
}

function watchedEvent({ upstream, jobid, epoch, seq, watchedAt }) {
  const time = new Date(watchedAt).toISOString()
  return {
    specversion: '1.0',
    id: `${epoch}-${seq}`,
    source: `/upstreams/${upstream}/jobs/${jobid}`,
    type: 'job.watched',
    subject: jobid,
    time,
    datacontenttype: 'application/json',
    data: {
      seq,
      previousSeq: null,
      change: { kind: 'registry', by: 'api' },
      job: {
        jobid,
        upstream,
        state: 'active',
        title: jobid,
        status: null,
        ...unseen,
        durationMs: null,
        stages: [],
        progress: { done: 0, total: 0 },
        messages: [],
        messageCount: 0,
        result: null,
        resultBytes: 0,
        label: null,
        tags: [],
        stallAfter: null,
        deadline: null,
        eta: null,
        typicalDurationMs: null,
        watchedAt: time,
        changedAt: null,
        lastSeq: seq,
      },
    },
  }
}
