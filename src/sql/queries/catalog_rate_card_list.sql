-- Purpose: lists the rate cards of a scope that are not deleted.
-- $1 scope
-- Rows: name, definition, create_time; by name.
SELECT name, definition, create_time FROM rate_card WHERE scope = $1 AND deleted = 0 ORDER BY name
