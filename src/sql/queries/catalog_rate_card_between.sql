-- Purpose: lists the rate cards of a scope that are not deleted and whose names are in a range.
-- $1 scope, $2 name at which the range begins, $3 name before which it ends
-- Rows: name, definition; by name.
SELECT name, definition FROM rate_card WHERE scope = $1 AND deleted = 0 AND name >= $2 AND name < $3 ORDER BY name
