-- Purpose: reads the version that was drawn last. The transaction has locked the file already.
-- Rows: one: value, 0 if nothing was ever written.
SELECT value FROM catalog_sequence WHERE id = 1
