-- Purpose: makes the watermark of a partition exist.
-- $1 partition
-- Rows: none.
INSERT INTO watermark ("partition", incarnation, seq) VALUES ($1, 0, 0)
ON CONFLICT ("partition") DO NOTHING
