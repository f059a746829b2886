-- Purpose: reads one request.
-- $1 scope, $2 id
-- Rows: id, account, meter, state, create_time, wanted, reason, requester, seen, granted, resolver, comment, resolve_time.
SELECT id, account, meter, state, create_time, wanted, reason, requester, seen, granted, resolver, comment, resolve_time
FROM limit_request WHERE scope = $1 AND id = $2
