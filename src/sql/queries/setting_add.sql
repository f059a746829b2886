-- Purpose: sets one setting unless it is set already.
-- $1 name, $2 value
-- Rows: none.
INSERT INTO setting (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING
