-- Purpose: a part of the postings of one counter.
-- $1 account, $2 meter, $3 first effective time, $4 effective time before which they are, $5 how many
-- Rows: effective, partition, incarnation, seq, idx, used, top_up; the oldest first.
SELECT effective, "partition", incarnation, seq, idx, used, top_up FROM posting
WHERE account = $1 AND meter = $2 AND effective >= $3 AND effective < $4
ORDER BY effective, "partition", incarnation, seq, idx
LIMIT $5
