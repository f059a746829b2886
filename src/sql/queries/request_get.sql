-- Purpose: reads what is known of request ids. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: key, fingerprint, kind, reservation, amounts of those that are known.
SELECT key, fingerprint, kind, reservation, amounts FROM request WHERE (tenant, key) IN (VALUES ($1, $2))
