-- Purpose: writes a lifetime counter anew, if it still is what an audit read.
-- $1 account, $2 meter, $3 used, $4 top_up_used, $5 own_used; $6 $7 $8 the same as they were read
-- Rows: none.
UPDATE counter SET used = $3, top_up_used = $4, own_used = $5
WHERE account = $1 AND meter = $2 AND used = $6 AND top_up_used = $7 AND own_used = $8
