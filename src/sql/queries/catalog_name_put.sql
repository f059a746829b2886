-- Purpose: keeps what stands behind a name. What was deleted begins anew.
-- $1 scope, $2 name, $3 definition, $4 catalog version, $5 time
-- Rows: none.
INSERT INTO moved_name (scope, name, definition, moving, catalog_version, create_time, update_time, deleted)
VALUES ($1, $2, $3, CASE WHEN $3 LIKE '{"moving"%' THEN 1 ELSE 0 END, $4, $5, $5, 0)
ON CONFLICT (scope, name) DO UPDATE SET
    definition = excluded.definition,
    moving = excluded.moving,
    catalog_version = excluded.catalog_version,
    create_time = CASE WHEN moved_name.deleted = 0 THEN moved_name.create_time ELSE excluded.create_time END,
    update_time = excluded.update_time,
    deleted = 0
