-- Purpose: gives a posting the use that its entry tells, if it still is what an audit read.
-- $1 account, $2 meter, $3 effective, $4 partition, $5 incarnation, $6 seq, $7 idx, $8 used, $9 used as it was read
-- Rows: none.
UPDATE posting SET used = $8
WHERE account = $1 AND meter = $2 AND effective = $3 AND "partition" = $4 AND incarnation = $5 AND seq = $6 AND idx = $7
    AND used = $9
