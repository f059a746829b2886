-- Purpose: the accounts of all scopes of which a move is under way.
-- Rows: scope, name, definition.
SELECT scope, name, definition FROM moved_name WHERE moving = 1 ORDER BY scope, name
