-- How many deliveries are pending, and since when the oldest is: the metrics ask every few seconds.
CREATE INDEX deliveries_pending_by_age ON deliveries (created_at) WHERE state = 'pending';
