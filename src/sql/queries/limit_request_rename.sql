-- Purpose: calls the account of requests for more, and those below it, by the name to which it was moved.
-- $1 scope, $2 old name, $3 new name
-- Rows: none.
UPDATE limit_request SET account = $3 || substr(account, length($2) + 1)
WHERE scope = $1 AND (account = $2 OR substr(account, 1, length($2) + 1) = $2 || '/')
