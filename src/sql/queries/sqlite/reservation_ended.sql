-- Purpose: reservations that ended before a time and occupy nothing, the oldest first.
-- $1 time, $2 how many
-- Rows: record.
SELECT record FROM reservation
WHERE open = 0 AND occupied = 0 AND end_time < $1
ORDER BY end_time
LIMIT $2
