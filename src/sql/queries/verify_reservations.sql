-- Purpose: reservations by key with the entry that changed them last, for an audit. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: tenant, key, partition, seq, record of those that exist.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
SELECT tenant, key, "partition", seq, record FROM reservation
WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
