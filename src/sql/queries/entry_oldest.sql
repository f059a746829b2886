-- Purpose: the oldest lines of a partition's entries.
-- $1 partition, $2 incarnation and $3 seq before which they are, $4 how many
-- Rows: incarnation, seq, time; the oldest first.
SELECT incarnation, seq, time FROM entry
WHERE "partition" = $1 AND (incarnation, seq) < ($2, $3)
ORDER BY incarnation, seq, idx
LIMIT $4
