-- Purpose: changes the current quota of a subject on a meter in place.
-- $1 scope, $2 subject, $3 meter, $4 time, $5 catalog version, $6 limits, $7 top_up, $8 hold_share, $9 enforcement, $10 note,
-- $11 locked_without, $12 raised
-- Rows: none.
UPDATE quota SET update_time = $4, catalog_version = $5, limits = $6, top_up = $7, hold_share = $8, enforcement = $9, note = $10,
  locked_without = $11, raised = $12
WHERE scope = $1 AND subject = $2 AND meter = $3 AND state = 'current'
