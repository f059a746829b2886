-- Purpose: a page of the pools of a scope that are not deleted.
-- $1 scope, $2 name after which the page begins, $3 how many
-- Rows: name, definition; by name.
SELECT name, definition FROM pool
WHERE scope = $1 AND deleted = 0 AND name > $2
ORDER BY name
LIMIT $3
