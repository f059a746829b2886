-- Purpose: reads what stands behind one name of a scope, if an account was moved there or away.
-- $1 scope, $2 name
-- Rows: none or one: definition.
SELECT definition FROM moved_name WHERE scope = $1 AND name = $2 AND deleted = 0
