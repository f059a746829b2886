-- Purpose: some counters, from one on.
-- $1 account, $2 meter, $3 how many
-- Rows: account, meter; in order.
SELECT account, meter FROM counter WHERE (account, meter) >= ($1, $2) ORDER BY account, meter LIMIT $3
