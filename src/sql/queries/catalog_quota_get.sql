-- Purpose: reads the current quota of a subject on a meter.
-- $1 scope, $2 subject, $3 meter
-- Rows: none or one: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised.
SELECT subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised
FROM quota WHERE scope = $1 AND subject = $2 AND meter = $3 AND state = 'current'
