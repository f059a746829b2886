-- Purpose: the postings of a counter in a quarter of an hour that have no entry, or one that says something else.
-- $1 account, $2 meter, $3 effective of the first, $4 effective after the last, $5 how many
-- Rows: effective, partition, incarnation, seq, idx, used, 1 if there is an entry.
SELECT p.effective, p."partition", p.incarnation, p.seq, p.idx, p.used,
       CAST(CASE WHEN e.idx IS NULL THEN 0 ELSE 1 END AS BIGINT)
FROM posting p LEFT JOIN entry e
    ON e."partition" = p."partition" AND e.incarnation = p.incarnation AND e.seq = p.seq AND e.idx = p.idx
WHERE p.account = $1 AND p.meter = $2 AND p.effective >= $3 AND p.effective < $4
    AND (e.idx IS NULL OR e.meter IS NULL OR e.meter <> p.meter OR e.effective IS NULL OR e.effective <> p.effective)
ORDER BY p.effective, p."partition", p.incarnation, p.seq, p.idx
LIMIT $5
