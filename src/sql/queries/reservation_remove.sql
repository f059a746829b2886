-- Purpose: forgets reservations. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: none.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
DELETE FROM reservation WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
