-- Purpose: reads one rate card of a scope.
-- $1 scope, $2 name
-- Rows: none or one: definition.
SELECT definition FROM rate_card WHERE scope = $1 AND name = $2 AND deleted = 0
