-- Purpose: writes a quarter-hour roll-up anew, if it still is what an audit read.
-- $1 account, $2 meter, $3 quarter, $4 used, $5 top_up; $6 $7 the same as they were read
-- Rows: none.
UPDATE rollup SET used = $4, top_up = $5
WHERE account = $1 AND meter = $2 AND quarter = $3 AND used = $6 AND top_up = $7
