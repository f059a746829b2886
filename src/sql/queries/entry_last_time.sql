-- Purpose: reads the store's time of a partition's last entry.
-- $1 partition
-- Rows: none or one: time.
SELECT time FROM entry WHERE "partition" = $1 ORDER BY incarnation DESC, seq DESC, idx DESC LIMIT 1
