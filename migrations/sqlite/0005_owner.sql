-- Which start of the daemon the database belongs to: every start takes the next number, and a daemon
-- that finds another one than its own writes nothing more.
CREATE TABLE owner (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  start      INTEGER NOT NULL,
  checked_at INTEGER NOT NULL
) STRICT;
INSERT INTO owner (id, start, checked_at) VALUES (1, 0, 0);
