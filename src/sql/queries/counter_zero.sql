-- Purpose: makes counters that may shrink exist, so that counter_add never inserts a negative one. Sent for many rows
-- at once.
-- $1 account, $2 meter, $3 $4 $5 zero
-- Rows: none.
INSERT INTO counter (account, meter, used, top_up_used, own_used) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, meter) DO NOTHING
