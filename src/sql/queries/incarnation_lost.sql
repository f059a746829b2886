-- Purpose: the numbers of a partition's entries that never reached the ledger, in order.
-- $1 partition
-- Rows: first, last.
SELECT after_seq + 1, seq FROM incarnation WHERE "partition" = $1 AND seq > after_seq
ORDER BY incarnation
