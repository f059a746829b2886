-- Purpose: marks one choice of a pool deleted.
-- $1 scope, $2 name, $3 catalog version, $4 time
-- Rows: none.
UPDATE pool_choice SET deleted = 1, catalog_version = $3, update_time = $4 WHERE scope = $1 AND name = $2 AND deleted = 0
