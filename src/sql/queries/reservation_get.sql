-- Purpose: reads reservations by key. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: key, record of those that exist.
SELECT key, record FROM reservation WHERE (tenant, key) IN (VALUES ($1, $2))
