-- Purpose: postings by their whole key, for an audit. Sent for many rows at once.
-- $1 account, $2 meter, $3 effective, $4 partition, $5 incarnation, $6 seq, $7 idx
-- Rows: account, meter, effective, partition, incarnation, seq, idx, used, top_up of those that exist.
WITH wanted (account, meter, effective, "partition", incarnation, seq, idx) AS (VALUES ($1, $2, $3, $4, $5, $6, $7))
SELECT p.account, p.meter, p.effective, p."partition", p.incarnation, p.seq, p.idx, p.used, p.top_up
FROM wanted w JOIN posting p
    ON p.account = w.account AND p.meter = w.meter AND p.effective = w.effective AND p."partition" = w."partition"
    AND p.incarnation = w.incarnation AND p.seq = w.seq AND p.idx = w.idx
