-- The lifetimes of the counter stores: each row is one that was begun after another. after_seq is the last entry that the
-- ledger had then, seq the last number that the new one does not use; the numbers between them were lost.

CREATE TABLE incarnation (
    "partition" BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    after_seq   BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    PRIMARY KEY ("partition", incarnation)
);
