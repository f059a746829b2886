-- Purpose: forgets reservations. Sent for many rows at once.
-- $1 tenant, $2 key
-- Rows: none.
DELETE FROM reservation WHERE (tenant, key) IN (VALUES ($1, $2))
