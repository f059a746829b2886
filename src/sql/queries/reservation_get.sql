-- Purpose: reads reservations by key. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: key, record of those that exist.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
SELECT key, record FROM reservation WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
