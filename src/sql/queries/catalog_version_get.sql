-- Purpose: reads the version of what a scope sees: the greater of its own and the installation's.
-- $1 scope
-- Rows: one: version, 0 if nothing was ever written.
SELECT COALESCE(MAX(version), 0) FROM catalog_version WHERE scope = $1 OR scope = ''
