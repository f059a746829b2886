-- Purpose: lists the names of a scope behind which something else stands since a version of the catalog, deleted ones too.
-- $1 scope, $2 version, $3 how many
-- Rows: name, definition, deleted.
SELECT name, definition, deleted FROM moved_name
WHERE scope = $1 AND catalog_version > $2
LIMIT $3
