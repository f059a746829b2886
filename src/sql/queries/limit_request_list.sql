-- Purpose: a page of a tenant's requests, newest first.
-- $1 scope, $2 create_time and $3 id before which the page begins, $4 state or '', $5 account or '', $6 $7 the first name below
-- it and the one after the last, $8 how many
-- Rows: id, account, meter, state, create_time, wanted, reason, requester, seen, granted, resolver, comment, resolve_time.
SELECT id, account, meter, state, create_time, wanted, reason, requester, seen, granted, resolver, comment, resolve_time
FROM limit_request
WHERE scope = $1 AND (create_time, id) < ($2, $3) AND ($4 = '' OR state = $4)
    AND ($5 = '' OR account = $5 OR (account >= $6 AND account < $7))
ORDER BY create_time DESC, id DESC
LIMIT $8
