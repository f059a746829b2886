-- Purpose: counts what else a scope sees that was written after a version of the catalog: meters, plans and rate cards, its own
-- and the installation's, deleted ones too.
-- $1 scope, $2 version
-- Rows: one: how many.
SELECT (SELECT COUNT(*) FROM meter_def WHERE (scope = $1 OR scope = '') AND catalog_version > $2)
     + (SELECT COUNT(*) FROM plan WHERE (scope = $1 OR scope = '') AND catalog_version > $2)
     + (SELECT COUNT(*) FROM rate_card WHERE (scope = $1 OR scope = '') AND catalog_version > $2)
