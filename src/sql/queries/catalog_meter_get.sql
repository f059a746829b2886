-- Purpose: reads one meter of a scope.
-- $1 scope, $2 name
-- Rows: none or one: definition.
SELECT definition FROM meter_def WHERE scope = $1 AND name = $2 AND deleted = 0
