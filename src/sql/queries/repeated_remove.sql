-- Purpose: forgets repeats that were undone. Sent for many rows at once.
-- $1 tenant, $2 key, $3 create_time
-- Rows: none.
DELETE FROM repeated WHERE (tenant, key, create_time) IN (VALUES ($1, $2, $3))
