-- Purpose: writes a lifetime counter that an audit missed, if it is still missing.
-- $1 account, $2 meter, $3 used, $4 top_up_used, $5 own_used
-- Rows: none.
INSERT INTO counter (account, meter, used, top_up_used, own_used) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, meter) DO NOTHING
