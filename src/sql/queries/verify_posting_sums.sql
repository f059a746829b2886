-- Purpose: sums of a stretch of postings by counter and quarter of an hour, beside the entries that they are of. A posting
-- that does not agree with its entry on meter and time is counted and not summed. Sums come as two parts, of the
-- multiples of 2^20 and of the rest, so that they can't overflow.
-- $1 account, $2 meter, $3 effective of the first; $4 account, $5 meter, $6 effective after the last
-- Rows: account, meter, quarter, postings, those without an entry, those unlike their entry, used high and low, top_up
-- high and low, own high and low, what adjustments took back of what was charged to the account itself high and low.
SELECT account, meter, quarter, COUNT(*), CAST(SUM(alone) AS BIGINT), CAST(SUM(unlike) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 THEN used / 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 THEN used % 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 THEN top_up / 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 THEN top_up % 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 AND charged = account THEN used / 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN unlike = 0 AND charged = account THEN used % 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN kind = 9 AND charged = account AND used < 0 THEN -used / 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN kind = 9 AND charged = account AND used < 0 THEN -used % 1048576 END), 0) AS BIGINT)
FROM (
    SELECT p.account, p.meter, (p.effective - ((p.effective % 900000) + 900000) % 900000) / 900000 AS quarter,
           p.used, p.top_up, e.account AS charged, e.kind,
           CASE WHEN e.idx IS NULL THEN 1 ELSE 0 END AS alone,
           CASE WHEN e.idx IS NOT NULL AND (e.meter IS NULL OR e.meter <> p.meter OR e.effective IS NULL
                                            OR e.effective <> p.effective) THEN 1 ELSE 0 END AS unlike
    FROM posting p LEFT JOIN entry e
        ON e."partition" = p."partition" AND e.incarnation = p.incarnation AND e.seq = p.seq AND e.idx = p.idx
    WHERE (p.account, p.meter, p.effective) >= ($1, $2, $3) AND (p.account, p.meter, p.effective) < ($4, $5, $6)
) AS stretch
GROUP BY account, meter, quarter
ORDER BY account, meter, quarter
