-- Purpose: lists the pools of a scope that were written after a version of the catalog, deleted ones too.
-- $1 scope, $2 version, $3 how many
-- Rows: name, definition, deleted.
SELECT name, definition, deleted FROM pool
WHERE scope = $1 AND catalog_version > $2
LIMIT $3
