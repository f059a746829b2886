-- Purpose: keeps repeats that came too late, until they are undone. Sent for many rows at once.
-- $1 tenant, $2 key, $3 create_time, $4 partition, $5 record
-- Rows: none.
INSERT INTO repeated (tenant, key, create_time, "partition", record) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, key, create_time) DO NOTHING
