-- Endpoints made over the API, the health of every endpoint, and what is asked of deliveries.

-- Of one made over the API, as JSON: where it is and what it gets. The configuration has its own.
ALTER TABLE endpoints ADD COLUMN definition TEXT;
-- The secret before the last rotation; it signs along until then.
ALTER TABLE endpoints ADD COLUMN old_secret TEXT;
ALTER TABLE endpoints ADD COLUMN old_secret_until INTEGER;
ALTER TABLE endpoints ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
  CHECK (state IN ('active', 'failing', 'disabled'));
ALTER TABLE endpoints ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN reason TEXT;
-- Failed attempts in a row, and the first of them.
ALTER TABLE endpoints ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN failures_since INTEGER;
ALTER TABLE endpoints ADD COLUMN last_delivered_at INTEGER;
ALTER TABLE endpoints ADD COLUMN last_seq INTEGER;
UPDATE endpoints SET since = created_at;

-- A name that comes back goes on from the events of its predecessor.
CREATE INDEX endpoints_of_name ON endpoints (name);

-- The endpoint that an event is about: it is never delivered there.
ALTER TABLE events ADD COLUMN endpoint TEXT;

-- Foldable: it may be left out once a later event of its job has made it pointless.
ALTER TABLE deliveries ADD COLUMN is_foldable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN is_replay INTEGER NOT NULL DEFAULT 0;
-- Those of a delivery's attempts that somebody asked for: they use up nothing of its schedule.
ALTER TABLE deliveries ADD COLUMN by_hand_count INTEGER NOT NULL DEFAULT 0;
-- The delivery that tells in its place what it would have told.
ALTER TABLE deliveries ADD COLUMN superseded_by INTEGER;
CREATE INDEX deliveries_superseded ON deliveries (superseded_by) WHERE superseded_by IS NOT NULL;

-- An index ends with the rowid, here the id: each gives its deliveries newest first.
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id);
CREATE INDEX deliveries_by_job ON deliveries (jobid) WHERE jobid IS NOT NULL;
CREATE INDEX deliveries_by_state ON deliveries (state);
DROP INDEX deliveries_pending_by_age;
