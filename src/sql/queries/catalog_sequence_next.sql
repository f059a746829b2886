-- Purpose: draws the next version.
-- Rows: one: value.
UPDATE catalog_sequence SET value = value + 1 WHERE id = 1 RETURNING value
