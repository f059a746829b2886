-- Purpose: forgets on which accounts reservations counted. Sent for many rows at once.
-- $1 tenant, $2 account, $3 create_time, $4 key
-- Rows: none.
DELETE FROM reservation_account WHERE (tenant, account, create_time, key) IN (VALUES ($1, $2, $3, $4))
