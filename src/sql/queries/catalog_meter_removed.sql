-- Purpose: lists the meters that a scope had and has no longer.
-- $1 scope
-- Rows: name, definition; by name.
SELECT name, definition FROM meter_def WHERE scope = $1 AND deleted = 1 ORDER BY name
