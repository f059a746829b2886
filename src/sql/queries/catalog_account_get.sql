-- Purpose: reads one account of a scope.
-- $1 scope, $2 name
-- Rows: none or one: definition, create_time.
SELECT definition, create_time FROM account_record WHERE scope = $1 AND name = $2 AND deleted = 0
