-- Purpose: the name behind a meter's number.
-- $1 id
-- Rows: name; none if no entry told it.
SELECT name FROM meter WHERE id = $1
