-- How upstreams are, and how long operations take.

-- What was last told of an upstream: the state and the event that told it are one transaction.
CREATE TABLE upstreams (
  name            TEXT    PRIMARY KEY,
  state           TEXT    NOT NULL CHECK (state IN ('up', 'down', 'denied')),
  since           INTEGER NOT NULL,
  last_success_at INTEGER,
  last_seq        INTEGER
) STRICT, WITHOUT ROWID;

-- The last ten runs of each operation that ended well, from which the usual duration is taken.
CREATE TABLE runs (
  upstream    TEXT    NOT NULL,
  operation   TEXT    NOT NULL,
  jobid       TEXT    NOT NULL,
  ended_at    INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (upstream, operation, jobid)
) STRICT, WITHOUT ROWID;
