-- Purpose: writes a posting that an audit missed, if it is still missing.
-- $1 account, $2 meter, $3 effective, $4 partition, $5 incarnation, $6 seq, $7 idx, $8 used, $9 top_up
-- Rows: none.
INSERT INTO posting (account, meter, effective, "partition", incarnation, seq, idx, used, top_up)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account, meter, effective, "partition", incarnation, seq, idx) DO NOTHING
