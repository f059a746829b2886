-- Purpose: writes down what was decided on a request that is pending.
-- $1 scope, $2 id, $3 state, $4 granted, $5 resolver, $6 comment, $7 resolve_time
-- Rows: none.
UPDATE limit_request SET state = $3, granted = $4, resolver = $5, comment = $6, resolve_time = $7
WHERE scope = $1 AND id = $2 AND state = 'pending'
