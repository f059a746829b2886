-- Purpose: lists the current quotas of a scope.
-- $1 scope
-- Rows: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without; by subject, meter.
SELECT subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without
FROM quota WHERE scope = $1 AND state = 'current' ORDER BY subject, meter
