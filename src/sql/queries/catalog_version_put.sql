-- Purpose: sets the version of a scope.
-- $1 scope, $2 version
-- Rows: none.
INSERT INTO catalog_version (scope, version) VALUES ($1, $2)
ON CONFLICT (scope) DO UPDATE SET version = excluded.version
