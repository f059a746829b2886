-- Purpose: forgets a partition's entries before one of them.
-- $1 partition, $2 incarnation, $3 seq
-- Rows: none.
DELETE FROM entry WHERE "partition" = $1 AND (incarnation, seq) < ($2, $3)
