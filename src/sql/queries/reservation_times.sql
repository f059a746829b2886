-- Purpose: which of many reservations exist, and since when. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: tenant, key, create_time of those that exist.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
SELECT tenant, key, create_time FROM reservation WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
