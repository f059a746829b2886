-- Purpose: keeps on which accounts reservations count. Sent for many rows at once.
-- $1 tenant, $2 account, $3 create_time, $4 key
-- Rows: none.
INSERT INTO reservation_account (tenant, account, create_time, key) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, account, create_time, key) DO NOTHING
