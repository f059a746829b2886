-- Purpose: reads one choice of a pool of a scope.
-- $1 scope, $2 name
-- Rows: none or one: definition.
SELECT definition FROM pool_choice WHERE scope = $1 AND name = $2 AND deleted = 0
