-- The embedded journal: one row for each group commit of a partition.
CREATE TABLE IF NOT EXISTS journal (
    partition INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    entry     BLOB    NOT NULL,
    PRIMARY KEY (partition, seq)
) WITHOUT ROWID;
