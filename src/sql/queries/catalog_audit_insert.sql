-- Purpose: writes down one change of the catalog.
-- $1 scope, $2 version, $3 time, $4 actor, $5 action, $6 subject, $7 before, $8 after
-- Rows: none.
INSERT INTO audit (scope, version, time, actor, action, subject, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
