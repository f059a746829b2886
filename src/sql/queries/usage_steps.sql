-- Purpose: the use of one counter over a period, split into steps; the period and the parts of sums as in usage_sum.
-- $1 account, $2 meter, $3 first quarter, $4 quarter after the last, $5 $6 $7 $8 times, $9 a step in quarters,
-- $10 a step in milliseconds
-- Rows: step (its number since 1970), used high and low, top_up high and low; several for one step.
SELECT (quarter - ((quarter % $9) + $9) % $9) / $9 AS step,
       CAST(SUM(used / 1048576) AS BIGINT) AS used_high, CAST(SUM(used % 1048576) AS BIGINT) AS used_low,
       CAST(SUM(top_up / 1048576) AS BIGINT) AS top_up_high, CAST(SUM(top_up % 1048576) AS BIGINT) AS top_up_low
FROM rollup WHERE account = $1 AND meter = $2 AND quarter >= $3 AND quarter < $4
GROUP BY 1
UNION ALL
SELECT (effective - ((effective % $10) + $10) % $10) / $10,
       CAST(SUM(used / 1048576) AS BIGINT), CAST(SUM(used % 1048576) AS BIGINT),
       CAST(SUM(top_up / 1048576) AS BIGINT), CAST(SUM(top_up % 1048576) AS BIGINT)
FROM posting WHERE account = $1 AND meter = $2 AND effective >= $5 AND effective < $6
GROUP BY 1
UNION ALL
SELECT (effective - ((effective % $10) + $10) % $10) / $10,
       CAST(SUM(used / 1048576) AS BIGINT), CAST(SUM(used % 1048576) AS BIGINT),
       CAST(SUM(top_up / 1048576) AS BIGINT), CAST(SUM(top_up % 1048576) AS BIGINT)
FROM posting WHERE account = $1 AND meter = $2 AND effective >= $7 AND effective < $8
GROUP BY 1
