-- Purpose: the repeats of a partition that are not undone yet.
-- $1 partition
-- Rows: record.
SELECT record FROM repeated WHERE "partition" = $1
