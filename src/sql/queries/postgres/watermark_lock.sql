-- Purpose: reads how far the ledger holds a partition's journal, and keeps others from moving it until the transaction
-- ends. Waits for whoever does so now, and reads what that one wrote.
-- $1 partition
-- Rows: none or one: incarnation, seq.
SELECT incarnation, seq FROM watermark WHERE "partition" = $1 FOR UPDATE
