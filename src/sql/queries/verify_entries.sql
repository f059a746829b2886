-- Purpose: the next entries in the order of their key, for an audit.
-- $1 partition, $2 incarnation, $3 seq, $4 idx of the last one read, $5 how many
-- Rows: partition, incarnation, seq, idx, time, tenant, reservation, charge, account, meter, effective, used, held.
SELECT "partition", incarnation, seq, idx, time, tenant, reservation, charge, account, meter, effective, used, held
FROM entry
WHERE ("partition", incarnation, seq, idx) > ($1, $2, $3, $4)
ORDER BY "partition", incarnation, seq, idx
LIMIT $5
