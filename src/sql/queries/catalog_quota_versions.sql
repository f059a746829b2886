-- Purpose: lists every version of a quota.
-- $1 scope, $2 subject, $3 meter
-- Rows: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised, state, close_time;
-- newest first.
SELECT subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised, state, close_time
FROM quota WHERE scope = $1 AND subject = $2 AND meter = $3 ORDER BY version DESC
