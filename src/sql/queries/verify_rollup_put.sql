-- Purpose: writes a quarter-hour roll-up that an audit missed, if it is still missing.
-- $1 account, $2 meter, $3 quarter, $4 used, $5 top_up
-- Rows: none.
INSERT INTO rollup (account, meter, quarter, used, top_up) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, meter, quarter) DO NOTHING
