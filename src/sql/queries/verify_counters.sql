-- Purpose: the next lifetime counters in the order of their key, for an audit.
-- $1 account, $2 meter of the last one read, $3 how many
-- Rows: account, meter, used, top_up_used, own_used.
SELECT account, meter, used, top_up_used, own_used FROM counter
WHERE (account, meter) > ($1, $2)
ORDER BY account, meter
LIMIT $3
