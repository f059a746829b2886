-- Purpose: keeps that a counter store began another lifetime.
-- $1 partition, $2 incarnation, $3 the last entry that the ledger had, $4 the last number that the new one does not use
-- Rows: none.
INSERT INTO incarnation ("partition", incarnation, after_seq, seq) VALUES ($1, $2, $3, $4)
