-- The lifetimes of the counter stores: each row is one that was begun after another. after_seq is the last entry that the
-- ledger had then, seq the last number that the new one does not use; the numbers between them were lost.

CREATE TABLE incarnation (
    "partition" INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    after_seq   INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY ("partition", incarnation)
) WITHOUT ROWID;
