-- Purpose: forgets request ids from before a time, the oldest first. Those that another process works on are left to it.
-- $1 time, $2 how many
-- Rows: none.
DELETE FROM request
WHERE (tenant, key) IN
    (SELECT tenant, key FROM request WHERE time < $1 ORDER BY time LIMIT $2 FOR UPDATE SKIP LOCKED)
