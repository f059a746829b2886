-- Purpose: the use of one counter: its lifetime sums, and the sums over a period, which is whole quarters of an hour from
-- $3 to $4 and the stretches of time $5 to $6 and $7 to $8 beside them; each of the three may be empty. Sums come as two
-- parts, of the multiples of 2^20 and of the rest, so that not even a history of greatest amounts overflows them.
-- $1 account, $2 meter, $3 first quarter, $4 quarter after the last, $5 $6 $7 $8 times
-- Rows: part (0 lifetime, 1 period), used high and low, top_up high and low, own.
SELECT CAST(0 AS BIGINT) AS part, used / 1048576 AS used_high, used % 1048576 AS used_low,
       top_up_used / 1048576 AS top_up_high, top_up_used % 1048576 AS top_up_low, own_used AS own
FROM counter WHERE account = $1 AND meter = $2
UNION ALL
SELECT 1, CAST(COALESCE(SUM(used / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(used % 1048576), 0) AS BIGINT),
       CAST(COALESCE(SUM(top_up / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(top_up % 1048576), 0) AS BIGINT), 0
FROM rollup WHERE account = $1 AND meter = $2 AND quarter >= $3 AND quarter < $4
UNION ALL
SELECT 1, CAST(COALESCE(SUM(used / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(used % 1048576), 0) AS BIGINT),
       CAST(COALESCE(SUM(top_up / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(top_up % 1048576), 0) AS BIGINT), 0
FROM posting WHERE account = $1 AND meter = $2 AND effective >= $5 AND effective < $6
UNION ALL
SELECT 1, CAST(COALESCE(SUM(used / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(used % 1048576), 0) AS BIGINT),
       CAST(COALESCE(SUM(top_up / 1048576), 0) AS BIGINT), CAST(COALESCE(SUM(top_up % 1048576), 0) AS BIGINT), 0
FROM posting WHERE account = $1 AND meter = $2 AND effective >= $7 AND effective < $8
