-- Purpose: the open reservations that count on an account: through those of its tenant, because few are open and many
-- have ended.
-- $1 account
-- Rows: record.
SELECT r.record FROM account AS a
CROSS JOIN reservation AS r
CROSS JOIN reservation_account AS ra
WHERE a.uid = $1 AND r.tenant = a.tenant AND r.open = 1
  AND ra.tenant = r.tenant AND ra.account = a.uid AND ra.create_time = r.create_time AND ra.key = r.key
