-- Purpose: the next roll-ups in the order of their key, for an audit.
-- $1 account, $2 meter, $3 quarter of the last one read, $4 how many
-- Rows: account, meter, quarter, used, top_up.
SELECT account, meter, quarter, used, top_up FROM rollup
WHERE (account, meter, quarter) > ($1, $2, $3)
ORDER BY account, meter, quarter
LIMIT $4
