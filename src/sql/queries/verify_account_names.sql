-- Purpose: the names behind uids, for an audit. Sent for many rows at once.
-- $1 uid
-- Rows: uid, name of those that entries told.
WITH wanted (uid) AS (VALUES ($1))
SELECT uid, name FROM account WHERE uid IN (SELECT uid FROM wanted)
