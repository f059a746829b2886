-- Purpose: moves a partition's watermark.
-- $1 partition, $2 incarnation, $3 seq
-- Rows: none.
INSERT INTO watermark ("partition", incarnation, seq) VALUES ($1, $2, $3)
ON CONFLICT ("partition") DO UPDATE SET incarnation = excluded.incarnation, seq = excluded.seq
