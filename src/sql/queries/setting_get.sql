-- Purpose: reads one setting.
-- $1 name
-- Rows: none or one: value.
SELECT value FROM setting WHERE name = $1
