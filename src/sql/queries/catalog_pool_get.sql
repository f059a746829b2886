-- Purpose: reads one pool of a scope.
-- $1 scope, $2 name
-- Rows: none or one: definition.
SELECT definition FROM pool WHERE scope = $1 AND name = $2 AND deleted = 0
