-- Purpose: the uids that stood behind a name, more than one if accounts were moved.
-- $1 tenant, $2 name
-- Rows: uid.
SELECT uid FROM account WHERE tenant = $1 AND name = $2
