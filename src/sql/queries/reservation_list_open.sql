-- Purpose: a page of a tenant's open reservations, newest first, through the index of the open ones.
-- $1 tenant, $2 create_time and $3 key before which the page begins, $4 wanted states (bit n: state n), $5 how many
-- Rows: record.
SELECT record FROM reservation
WHERE tenant = $1 AND open = 1 AND (create_time, key) < ($2, $3) AND ((CAST(1 AS BIGINT) << CAST(state AS INTEGER)) & $4) <> 0
ORDER BY create_time DESC, key DESC
LIMIT $5
