-- Purpose: remembers request ids; the first outcome stays. Sent for many rows at once.
-- $1 tenant, $2 key, $3 fingerprint, $4 kind, $5 reservation, $6 amounts, $7 time
-- Rows: none.
INSERT INTO request (tenant, key, fingerprint, kind, reservation, amounts, time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant, key) DO NOTHING
