-- Purpose: forgets request ids from before a time, the oldest first. Those that another process works on are left to it.
-- The rows are named by where they lie, so that none is looked for twice.
-- $1 time, $2 how many
-- Rows: none.
DELETE FROM request
WHERE ctid = ANY (ARRAY(SELECT ctid FROM request WHERE time < $1 ORDER BY time LIMIT $2 FOR UPDATE SKIP LOCKED))
