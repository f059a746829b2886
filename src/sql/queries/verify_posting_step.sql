-- Purpose: where a stretch of so many postings ends, so that an audit reads the table in stretches.
-- $1 account, $2 meter, $3 effective of the first, $4 how many
-- Rows: account, meter, effective of the first posting after the stretch; none if the table ends before.
SELECT account, meter, effective FROM posting
WHERE (account, meter, effective) >= ($1, $2, $3)
ORDER BY account, meter, effective
LIMIT 1 OFFSET $4
