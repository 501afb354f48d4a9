import Database from 'better-sqlite3'

/** What lies in a database that no promise allows; empty when there is nothing. */
export function databaseFaults(file: string): string[] {
  const db = new Database(file, { readonly: true })
  try {
    const count = (sql: string): number => db.prepare<[], number>(sql).pluck().get() ?? -1
    const counts = {
      'holes in the log': count('SELECT max(seq) - count(*) FROM events'),
      // The endpoint exists before the first event, and wants everything but what is about itself.
      'events owed to nobody': count(`
        SELECT count(*) FROM events AS e JOIN endpoints AS p
         WHERE e.endpoint IS NOT p.name
           AND 1 <> (SELECT count(*) FROM deliveries WHERE endpoint_id = p.id AND seq = e.seq)`),
      'jobs that do not know their last event': count(`
        SELECT count(*) FROM jobs AS j
         WHERE last_seq IS NOT (SELECT max(seq) FROM events AS e
                                 WHERE e.jobid = j.jobid AND e.upstream = j.upstream)`),
      'jobs that are not as their last event tells': count(`
        SELECT count(*) FROM jobs AS j JOIN events AS e ON e.seq = j.last_seq
         WHERE j.status IS NOT json_extract(e.text, '$.data.job.status')`),
      'events without a job': count(`
        SELECT count(*) FROM events AS e
         WHERE jobid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.jobid = e.jobid)`),
      'broken references': (db.pragma('foreign_key_check') as unknown[]).length,
    }
    const integrity = String(db.pragma('integrity_check', { simple: true }))
    return [
      ...(integrity === 'ok' ? [] : [integrity]),
      ...Object.entries(counts)
        .filter(([, found]) => found > 0)
        .map(([what, found]) => `${found} ${what}`),
    ]
  } finally {
    db.close()
  }
}
