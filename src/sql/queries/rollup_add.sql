-- Purpose: adds to the sums by quarter of an hour, which stay within 2^53-1 on both sides of zero: a Free by amount can
-- leave a quarter below zero. Sent for many rows at once.
-- $1 account, $2 meter, $3 quarter, $4 change of used, $5 change of top_up; each within 2^53-1
-- Rows: none.
INSERT INTO rollup (account, meter, quarter, used, top_up) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, meter, quarter) DO UPDATE SET
    used = CASE WHEN rollup.used + excluded.used < -9007199254740991 THEN -9007199254740991
                WHEN rollup.used + excluded.used > 9007199254740991 THEN 9007199254740991
                ELSE rollup.used + excluded.used END,
    top_up = CASE WHEN rollup.top_up + excluded.top_up < -9007199254740991 THEN -9007199254740991
                  WHEN rollup.top_up + excluded.top_up > 9007199254740991 THEN 9007199254740991
                  ELSE rollup.top_up + excluded.top_up END
