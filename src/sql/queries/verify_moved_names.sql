-- Purpose: all names that accounts have or had since they were moved, for an audit.
-- Rows: name.
SELECT name FROM moved_name ORDER BY name
