-- Purpose: forgets on which accounts reservations counted. Sent for many rows at once.
-- $1 tenant, $2 account, $3 create_time, $4 key
-- Rows: none.
WITH wanted (tenant, account, create_time, key) AS (VALUES ($1, $2, $3, $4))
DELETE FROM reservation_account
WHERE (tenant, account, create_time, key) IN (SELECT tenant, account, create_time, key FROM wanted)
