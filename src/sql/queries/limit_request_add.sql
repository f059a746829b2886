-- Purpose: keeps a request for more, unless there is one of that id.
-- $1 scope, $2 id, $3 account, $4 meter, $5 create_time, $6 wanted, $7 reason, $8 requester, $9 seen
-- Rows: none.
INSERT INTO limit_request
    (scope, id, account, meter, state, create_time, wanted, reason, requester, seen, granted, resolver, comment)
VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, '[]', '', '')
ON CONFLICT (scope, id) DO NOTHING
