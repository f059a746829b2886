-- Purpose: reads how far the ledger holds a partition's journal. The transaction has locked the file already.
-- $1 partition
-- Rows: none or one: incarnation, seq.
SELECT incarnation, seq FROM watermark WHERE "partition" = $1
