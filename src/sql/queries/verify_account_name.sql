-- Purpose: the name behind an account's uid.
-- $1 uid
-- Rows: name; none if no entry told it.
SELECT name FROM account WHERE uid = $1
