-- Purpose: lists the accounts of a scope that are not deleted.
-- $1 scope
-- Rows: name, definition, create_time; by name.
SELECT name, definition, create_time FROM account_record WHERE scope = $1 AND deleted = 0 ORDER BY name
