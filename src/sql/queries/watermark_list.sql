-- Purpose: how far the ledger holds each partition's journal.
-- Rows: partition, incarnation, seq.
SELECT "partition", incarnation, seq FROM watermark ORDER BY "partition"
