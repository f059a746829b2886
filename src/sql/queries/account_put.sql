-- Purpose: keeps the names behind uids. Sent for many rows at once. What is there stays: a line that is older than a move may come
-- later, and says the old name.
-- $1 uid, $2 tenant, $3 name
-- Rows: none.
INSERT INTO account (uid, tenant, name) VALUES ($1, $2, $3)
ON CONFLICT (uid) DO NOTHING
