-- Purpose: a page of the current quotas of a scope.
-- $1 scope, $2 subject and $3 meter after which the page begins, $4 last subject, $5 wanted meter ('': any), $6 how many
-- Rows: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised; by subject, meter.
SELECT subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised
FROM quota
WHERE scope = $1 AND state = 'current' AND (subject, meter) > ($2, $3) AND subject <= $4 AND ($5 = '' OR meter = $5)
ORDER BY subject, meter
LIMIT $6
