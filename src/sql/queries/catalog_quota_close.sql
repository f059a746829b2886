-- Purpose: ends the current quota of a subject on a meter.
-- $1 scope, $2 subject, $3 meter, $4 state (closed or deleted), $5 time, $6 catalog version
-- Rows: none.
UPDATE quota SET state = $4, close_time = $5, update_time = $5, catalog_version = $6
WHERE scope = $1 AND subject = $2 AND meter = $3 AND state = 'current'
