-- Purpose: what request ids were first used for. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: tenant, key, fingerprint, reservation of those that are known.
WITH wanted (tenant, key) AS (VALUES ($1, $2))
SELECT tenant, key, fingerprint, reservation FROM request
WHERE (tenant, key) IN (SELECT tenant, key FROM wanted)
