-- Purpose: keeps the last record of reservations. Sent for many rows at once.
-- $1 tenant, $2 key, $3 id, $4 state, $5 open, $6 occupied, $7 create_time, $8 expire_time, $9 end_time, $10 partition,
-- $11 seq, $12 record
-- Rows: none.
INSERT INTO reservation (tenant, key, id, state, open, occupied, create_time, expire_time, end_time, "partition", seq,
                         record)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (tenant, key) DO UPDATE SET
    state = excluded.state, open = excluded.open, occupied = excluded.occupied, expire_time = excluded.expire_time,
    end_time = excluded.end_time, seq = excluded.seq, record = excluded.record
