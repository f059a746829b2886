-- Purpose: what each entry changed on one counter, in the order of the entries, for an audit: whether a figure left its
-- range on the way. Sums come as two parts, of the multiples of 2^20 and of the rest.
-- $1 account, $2 meter, $3 incarnation, $4 seq of the last one read, $5 how many
-- Rows: incarnation, seq, used high and low, top_up high and low, own high and low.
SELECT p.incarnation, p.seq,
       CAST(SUM(p.used / 1048576) AS BIGINT), CAST(SUM(p.used % 1048576) AS BIGINT),
       CAST(SUM(p.top_up / 1048576) AS BIGINT), CAST(SUM(p.top_up % 1048576) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN e.account = p.account THEN p.used / 1048576 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE WHEN e.account = p.account THEN p.used % 1048576 END), 0) AS BIGINT)
FROM posting p LEFT JOIN entry e
    ON e."partition" = p."partition" AND e.incarnation = p.incarnation AND e.seq = p.seq AND e.idx = p.idx
WHERE p.account = $1 AND p.meter = $2 AND (p.incarnation, p.seq) > ($3, $4)
GROUP BY p.incarnation, p.seq
ORDER BY p.incarnation, p.seq
LIMIT $5
