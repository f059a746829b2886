-- Purpose: the lifetimes of all counter stores, for an audit.
-- Rows: partition, incarnation, after_seq, seq.
SELECT "partition", incarnation, after_seq, seq FROM incarnation ORDER BY "partition", incarnation
