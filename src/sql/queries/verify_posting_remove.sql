-- Purpose: removes a posting whose entry says another meter or time.
-- $1 account, $2 meter, $3 effective, $4 partition, $5 incarnation, $6 seq, $7 idx
-- Rows: none.
DELETE FROM posting
WHERE account = $1 AND meter = $2 AND effective = $3 AND "partition" = $4 AND incarnation = $5 AND seq = $6 AND idx = $7
