-- Purpose: a page of the reservations that count on an account, newest first.
-- $1 tenant, $2 create_time and $3 key before which the page begins, $4 wanted states (bit n: state n), $5 how many,
-- $6 account
-- Rows: record.
SELECT reservation.record
FROM reservation_account AS charged
JOIN reservation ON reservation.tenant = charged.tenant AND reservation.key = charged.key
WHERE charged.tenant = $1 AND charged.account = $6 AND (charged.create_time, charged.key) < ($2, $3)
  AND ((CAST(1 AS BIGINT) << CAST(reservation.state AS INTEGER)) & $4) <> 0
ORDER BY charged.create_time DESC, charged.key DESC
LIMIT $5
