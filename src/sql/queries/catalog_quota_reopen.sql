-- Purpose: puts the newest closed quota of a subject on a meter in force again, with an open end.
-- $1 scope, $2 subject, $3 meter, $4 time, $5 catalog version
-- Rows: none.
UPDATE quota SET state = 'current', close_time = NULL, update_time = $4, catalog_version = $5
WHERE scope = $1 AND subject = $2 AND meter = $3 AND state = 'closed'
  AND version = (SELECT MAX(version) FROM quota WHERE scope = $1 AND subject = $2 AND meter = $3 AND state = 'closed')
