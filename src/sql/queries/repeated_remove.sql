-- Purpose: forgets repeats that were undone. Sent for many rows at once.
-- $1 tenant, $2 key, $3 create_time
-- Rows: none.
WITH wanted (tenant, key, create_time) AS (VALUES ($1, $2, $3))
DELETE FROM repeated WHERE (tenant, key, create_time) IN (SELECT tenant, key, create_time FROM wanted)
