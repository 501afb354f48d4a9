-- Those of a delivery's attempts that somebody asked for: they use up nothing of its schedule.
ALTER TABLE deliveries ADD COLUMN by_hand_count INTEGER NOT NULL DEFAULT 0;
