-- Purpose: removes postings that another one now holds the sum of. Sent for many rows at once.
-- $1 account, $2 meter, $3 effective, $4 partition, $5 incarnation, $6 seq, $7 idx
-- Rows: none.
WITH wanted (account, meter, effective, "partition", incarnation, seq, idx) AS (VALUES ($1, $2, $3, $4, $5, $6, $7))
DELETE FROM posting
WHERE (account, meter, effective, "partition", incarnation, seq, idx) IN
    (SELECT account, meter, effective, "partition", incarnation, seq, idx FROM wanted)
