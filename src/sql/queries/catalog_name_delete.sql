-- Purpose: a name stands for the account that it was derived from again.
-- $1 scope, $2 name, $3 catalog version, $4 time
-- Rows: none.
UPDATE moved_name SET deleted = 1, moving = 0, catalog_version = $3, update_time = $4
WHERE scope = $1 AND name = $2 AND deleted = 0
