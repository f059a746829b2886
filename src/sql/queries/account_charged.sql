-- Purpose: an account that something was ever counted on, and what it has used over its lifetime, by meter.
-- $1 uid
-- Rows: meter's name and used, without both if nothing was used; none if nothing was ever counted.
SELECT meter.name, counter.used
FROM account
LEFT JOIN counter ON counter.account = account.uid
LEFT JOIN meter ON meter.id = counter.meter
WHERE account.uid = $1
