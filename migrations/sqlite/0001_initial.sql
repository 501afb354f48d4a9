-- The registry of jobs, the log of events and the outbox of deliveries.
-- Times are epoch milliseconds. Migrations are only ever added: this file is never edited again.

-- The words that event ids begin with: an epoch holds from its first seq up to the next epoch's.
CREATE TABLE epochs (
  first_seq INTEGER PRIMARY KEY,
  epoch     TEXT    NOT NULL UNIQUE,
  begun_at  INTEGER NOT NULL
) STRICT;

-- `state`, `status`, `operation` and so on are columns where a list filters by them; what is only
-- ever read whole is in `snapshot`, as JSON.
CREATE TABLE jobs (
  id              INTEGER PRIMARY KEY,
  revision        INTEGER NOT NULL,
  upstream        TEXT    NOT NULL,
  jobid           TEXT    NOT NULL,
  state           TEXT    NOT NULL CHECK (state IN ('active', 'ended', 'stopped', 'lost')),
  status          TEXT,
  snapshot        TEXT    NOT NULL,
  search          TEXT    NOT NULL,  -- label, title, operation, username, jobid in upper case
  label           TEXT,              -- JSON string: as a plain one half a surrogate pair would be lost
  tags            TEXT    NOT NULL,  -- JSON array
  stall_after_ms  INTEGER,
  deadline_at     INTEGER,
  deadline_after_ms INTEGER,
  looks_left      INTEGER NOT NULL DEFAULT 0,  -- looks still to be made after the end
  stalled_since   INTEGER,
  lost_since      INTEGER,
  is_overdue      INTEGER NOT NULL DEFAULT 0,
  watched_at      INTEGER NOT NULL,
  polled_at       INTEGER,
  changed_at      INTEGER,
  last_seq        INTEGER,
  UNIQUE (jobid, upstream)
) STRICT;

CREATE INDEX jobs_by_watched ON jobs (watched_at, id);
CREATE INDEX jobs_by_state ON jobs (state, watched_at, id);
CREATE INDEX jobs_by_status ON jobs (status, watched_at, id);
CREATE INDEX jobs_by_upstream ON jobs (upstream, watched_at, id);
-- Those that are still looked at.
CREATE INDEX jobs_polled ON jobs (id) WHERE state IN ('active', 'lost') OR looks_left > 0;

-- The upstream's document of a job's last change, verbatim; apart, since it may be megabytes.
CREATE TABLE documents (
  job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  text   TEXT NOT NULL
) STRICT;

-- AUTOINCREMENT never gives a seq twice, and a rolled-back insert burns none.
CREATE TABLE events (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  type     TEXT NOT NULL,
  upstream TEXT,
  jobid    TEXT,
  tags     TEXT NOT NULL,  -- JSON array: the job's tags when it happened
  text     TEXT NOT NULL   -- the event as every reader and receiver gets it, byte for byte
) STRICT;

-- An index ends with the rowid, here the seq: a job's events come out of it in order.
CREATE INDEX events_by_job ON events (jobid) WHERE jobid IS NOT NULL;

CREATE TABLE endpoints (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT    NOT NULL,
  origin       TEXT    NOT NULL CHECK (origin IN ('config', 'api')),
  secret       TEXT,              -- one that jobwatch made; a configured one stays in the configuration
  paused_until INTEGER,           -- the endpoint asked for silence
  created_at   INTEGER NOT NULL,
  removed_at   INTEGER
) STRICT;

CREATE UNIQUE INDEX endpoints_by_name ON endpoints (name) WHERE removed_at IS NULL;

-- The outbox. `due_at` is NULL while an earlier delivery of the same endpoint and job is unfinished:
-- whoever finishes that one gives this one its time, so nobody ever looks for blockers.
CREATE TABLE deliveries (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint_id   INTEGER NOT NULL REFERENCES endpoints (id),
  seq           INTEGER NOT NULL REFERENCES events (seq),
  type          TEXT    NOT NULL,
  upstream      TEXT,
  jobid         TEXT,
  state         TEXT    NOT NULL
                CHECK (state IN ('pending', 'delivered', 'failed', 'superseded', 'cancelled')),
  attempt_count INTEGER NOT NULL DEFAULT 0,
  due_at        INTEGER,
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER
) STRICT;

CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at)
  WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_pending_by_job ON deliveries (endpoint_id, jobid, upstream, seq)
  WHERE state = 'pending';
CREATE INDEX deliveries_by_seq ON deliveries (seq);

CREATE TABLE attempts (
  delivery_id INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status      INTEGER,
  error       TEXT,
  answer      TEXT,
  PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;
