-- Purpose: how far the postings of a counter in a quarter of an hour could have taken a figure from zero, for an audit.
-- $1 account, $2 meter, $3 effective of the first, $4 effective after the last
-- Rows: sum of the changes without their signs, used high and low, top_up high and low.
SELECT CAST(COALESCE(SUM(ABS(used / 1048576)), 0) AS BIGINT), CAST(COALESCE(SUM(ABS(used % 1048576)), 0) AS BIGINT),
       CAST(COALESCE(SUM(ABS(top_up / 1048576)), 0) AS BIGINT), CAST(COALESCE(SUM(ABS(top_up % 1048576)), 0) AS BIGINT)
FROM posting WHERE account = $1 AND meter = $2 AND effective >= $3 AND effective < $4
