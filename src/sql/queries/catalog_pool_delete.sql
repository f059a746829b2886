-- Purpose: marks one pool deleted.
-- $1 scope, $2 name, $3 catalog version, $4 time
-- Rows: none.
UPDATE pool SET deleted = 1, catalog_version = $3, update_time = $4 WHERE scope = $1 AND name = $2 AND deleted = 0
