-- The ledger: what happened, append-only, with the sums that follow from it, and the reservations and request ids of
-- the last 35 days. Times are milliseconds since 1970, uids and keys 16 bytes, amounts the meter's smallest unit.

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- How far the ledger holds each partition's journal: every entry up to seq of that incarnation.
CREATE TABLE watermark (
    "partition" INTEGER NOT NULL PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    seq         INTEGER NOT NULL
);

-- The names behind uids and meter ids, as seen in entries.
CREATE TABLE account (
    uid    BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL,
    name   TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX account_name ON account (tenant, name);

CREATE TABLE meter (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
);

-- One row for each line of an effect; an effect without lines has one row without an account.
CREATE TABLE entry (
    "partition"     INTEGER NOT NULL,
    incarnation     INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    idx             INTEGER NOT NULL,
    kind            INTEGER NOT NULL,
    tenant          BLOB    NOT NULL,
    time            INTEGER NOT NULL,
    catalog_version INTEGER NOT NULL,
    reservation     BLOB,
    request         BLOB,
    charge          INTEGER,
    account         BLOB,
    meter           INTEGER,
    item            TEXT,
    effective       INTEGER,
    used            INTEGER,
    held            INTEGER,
    cost_exact      TEXT, -- of priced meters, 10 decimals
    PRIMARY KEY ("partition", incarnation, seq, idx)
) WITHOUT ROWID;

-- The use by account: one row for each level of each line that changed what is used. All that sums are made of.
CREATE TABLE posting (
    account     BLOB    NOT NULL,
    meter       INTEGER NOT NULL,
    effective   INTEGER NOT NULL,
    "partition" INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    top_up      INTEGER NOT NULL,
    PRIMARY KEY (account, meter, effective, "partition", incarnation, seq, idx)
) WITHOUT ROWID;

-- Lifetime sums, each from 0 to 2^53-1. own_used: what was charged to that very account.
CREATE TABLE counter (
    account     BLOB    NOT NULL,
    meter       INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    top_up_used INTEGER NOT NULL,
    own_used    INTEGER NOT NULL,
    PRIMARY KEY (account, meter)
) WITHOUT ROWID;

-- Sums by quarter of an hour; quarter is the effective time in units of 900000 ms.
CREATE TABLE rollup (
    account BLOB    NOT NULL,
    meter   INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    top_up  INTEGER NOT NULL,
    PRIMARY KEY (account, meter, quarter)
) WITHOUT ROWID;

-- Reservations, the last record of each. end_time is that of the last change since it ended.
CREATE TABLE reservation (
    tenant      BLOB    NOT NULL,
    key         BLOB    NOT NULL,
    id          TEXT    NOT NULL,
    state       INTEGER NOT NULL,
    open        INTEGER NOT NULL,
    occupied    INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    expire_time INTEGER NOT NULL,
    end_time    INTEGER,
    "partition" INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    record      BLOB    NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX reservation_time ON reservation (tenant, create_time, key);
CREATE INDEX reservation_open ON reservation ("partition") WHERE open = 1;
CREATE INDEX reservation_open_time ON reservation (tenant, create_time, key) WHERE open = 1;
CREATE INDEX reservation_end ON reservation (end_time) WHERE open = 0 AND occupied = 0;

-- The accounts that a reservation counts on, to list by account.
CREATE TABLE reservation_account (
    tenant      BLOB    NOT NULL,
    account     BLOB    NOT NULL,
    create_time INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    PRIMARY KEY (tenant, account, create_time, key)
) WITHOUT ROWID;

-- Repeats that came too late to be recognised and are not undone yet.
CREATE TABLE repeated (
    tenant      BLOB    NOT NULL,
    key         BLOB    NOT NULL,
    create_time INTEGER NOT NULL,
    "partition" INTEGER NOT NULL,
    record      BLOB    NOT NULL,
    PRIMARY KEY (tenant, key, create_time)
) WITHOUT ROWID;

-- Request ids and what they were for; amounts: what a Free by amount gave back.
CREATE TABLE request (
    tenant      BLOB    NOT NULL,
    key         BLOB    NOT NULL,
    fingerprint INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    reservation BLOB,
    amounts     BLOB,
    time        INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE INDEX request_time ON request (time);
