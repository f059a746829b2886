-- Purpose: adds to lifetime sums, which stay from 0 to 2^53-1; both parts of a sum lie within 2^53, so it can't overflow.
-- Sent for many rows at once.
-- $1 account, $2 meter, $3 change of used, $4 change of top_up_used, $5 change of own_used; each within 2^53-1
-- Rows: none.
INSERT INTO counter (account, meter, used, top_up_used, own_used) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, meter) DO UPDATE SET
    used = CASE WHEN counter.used + excluded.used < 0 THEN 0
                WHEN counter.used + excluded.used > 9007199254740991 THEN 9007199254740991
                ELSE counter.used + excluded.used END,
    top_up_used = CASE WHEN counter.top_up_used + excluded.top_up_used < 0 THEN 0
                       WHEN counter.top_up_used + excluded.top_up_used > 9007199254740991 THEN 9007199254740991
                       ELSE counter.top_up_used + excluded.top_up_used END,
    own_used = CASE WHEN counter.own_used + excluded.own_used < 0 THEN 0
                    WHEN counter.own_used + excluded.own_used > 9007199254740991 THEN 9007199254740991
                    ELSE counter.own_used + excluded.own_used END
