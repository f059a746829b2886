-- Purpose: makes one choice of a pool be so. What was deleted begins anew.
-- $1 scope, $2 name, $3 definition, $4 catalog version, $5 time
-- Rows: none.
INSERT INTO pool_choice (scope, name, definition, catalog_version, create_time, update_time, deleted)
VALUES ($1, $2, $3, $4, $5, $5, 0)
ON CONFLICT (scope, name) DO UPDATE SET
    definition = excluded.definition,
    catalog_version = excluded.catalog_version,
    create_time = CASE WHEN pool_choice.deleted = 0 THEN pool_choice.create_time ELSE excluded.create_time END,
    update_time = excluded.update_time,
    deleted = 0
