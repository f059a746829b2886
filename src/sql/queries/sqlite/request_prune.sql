-- Purpose: forgets request ids from before a time, the oldest first.
-- $1 time, $2 how many
-- Rows: none.
DELETE FROM request
WHERE (tenant, key) IN (SELECT tenant, key FROM request WHERE time < $1 ORDER BY time LIMIT $2)
