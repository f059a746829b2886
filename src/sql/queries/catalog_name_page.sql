-- Purpose: a page of the names of a scope behind which something else stands than they were derived from.
-- $1 scope, $2 name after which the page begins, $3 how many
-- Rows: name, definition; by name.
SELECT name, definition FROM moved_name
WHERE scope = $1 AND deleted = 0 AND name > $2
ORDER BY name
LIMIT $3
