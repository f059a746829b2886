-- Purpose: gives an account, and what is below it, the name to which it was moved.
-- $1 tenant, $2 old name, $3 new name
-- Rows: none.
UPDATE account SET name = $3 || substr(name, length($2) + 1)
WHERE tenant = $1 AND (name = $2 OR substr(name, 1, length($2) + 1) = $2 || '/')
