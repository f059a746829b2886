-- Purpose: all open reservations of a partition.
-- $1 partition
-- Rows: record.
SELECT record FROM reservation WHERE "partition" = $1 AND open = 1
