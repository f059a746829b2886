-- Purpose: keeps the names behind meter ids. Sent for many rows at once.
-- $1 id, $2 name
-- Rows: none.
INSERT INTO meter (id, name) VALUES ($1, $2)
ON CONFLICT (id) DO NOTHING
