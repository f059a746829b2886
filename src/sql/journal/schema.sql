-- The embedded journal: one row for each group commit of a partition.
CREATE TABLE IF NOT EXISTS journal (
    partition INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    entry     BLOB    NOT NULL,
    PRIMARY KEY (partition, seq)
) WITHOUT ROWID;
-- The installation that the entries are of, as the ledger names it; one row once that is known.
CREATE TABLE IF NOT EXISTS installation (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id  TEXT    NOT NULL
);
