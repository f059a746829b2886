-- Purpose: reads what is known of request ids. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: key, fingerprint, kind, reservation, amounts of those that are known.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
SELECT key, fingerprint, kind, reservation, amounts FROM request WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
