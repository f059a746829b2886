-- Purpose: reads one setting, and keeps others from changing it until the transaction ends: one writes at a time anyway.
-- $1 name
-- Rows: none or one: value.
SELECT value FROM setting WHERE name = $1
