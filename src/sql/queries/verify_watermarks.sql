-- Purpose: the watermarks of all partitions, for an audit.
-- Rows: partition, incarnation, seq.
SELECT "partition", incarnation, seq FROM watermark ORDER BY "partition"
