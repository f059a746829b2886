-- Purpose: reads the version that was drawn last, and keeps others from drawing until the transaction ends: one writes to
-- the catalog at a time.
-- Rows: one: value, 0 if nothing was ever written.
SELECT value FROM catalog_sequence WHERE id = 1 FOR UPDATE
