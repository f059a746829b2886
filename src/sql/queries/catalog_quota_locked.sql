-- Purpose: lists the current quotas of the installation on a meter that are locked without a feature.
-- $1 meter
-- Rows: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised.
SELECT subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised
FROM quota WHERE scope = '' AND meter = $1 AND state = 'current' AND locked_without IS NOT NULL
