-- Purpose: reads one setting, and keeps others from changing it until the transaction ends. Waits for whoever does so now.
-- $1 name
-- Rows: none or one: value.
SELECT value FROM setting WHERE name = $1 FOR UPDATE
