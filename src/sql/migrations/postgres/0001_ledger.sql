-- The ledger: what happened, append-only, with the sums that follow from it, and the reservations and request ids of
-- the last 35 days. Times are milliseconds since 1970, uids and keys 16 bytes, amounts the meter's smallest unit.

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- How far the ledger holds each partition's journal: every entry up to seq of that incarnation.
CREATE TABLE watermark (
    "partition" BIGINT NOT NULL PRIMARY KEY,
    incarnation BIGINT NOT NULL,
    seq         BIGINT NOT NULL
);

-- The names behind uids and meter ids, as seen in entries.
CREATE TABLE account (
    uid    BYTEA NOT NULL PRIMARY KEY,
    tenant BYTEA NOT NULL,
    name   TEXT  NOT NULL
);
CREATE INDEX account_name ON account (tenant, name);

CREATE TABLE meter (
    id   BIGINT NOT NULL PRIMARY KEY,
    name TEXT   NOT NULL
);

-- One row for each line of an effect; an effect without lines has one row without an account.
CREATE TABLE entry (
    "partition"     BIGINT NOT NULL,
    incarnation     BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    idx             BIGINT NOT NULL,
    kind            BIGINT NOT NULL,
    tenant          BYTEA  NOT NULL,
    time            BIGINT NOT NULL,
    catalog_version BIGINT NOT NULL,
    reservation     BYTEA,
    request         BYTEA,
    charge          BIGINT,
    account         BYTEA,
    meter           BIGINT,
    item            TEXT,
    effective       BIGINT,
    used            BIGINT,
    held            BIGINT,
    cost_exact      TEXT, -- of priced meters, 10 decimals
    PRIMARY KEY ("partition", incarnation, seq, idx)
);

-- The use by account: one row for each level of each line that changed what is used. All that sums are made of.
CREATE TABLE posting (
    account     BYTEA  NOT NULL,
    meter       BIGINT NOT NULL,
    effective   BIGINT NOT NULL,
    "partition" BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    idx         BIGINT NOT NULL,
    used        BIGINT NOT NULL,
    top_up      BIGINT NOT NULL,
    PRIMARY KEY (account, meter, effective, "partition", incarnation, seq, idx)
);

-- Lifetime sums, each from 0 to 2^53-1. own_used: what was charged to that very account.
CREATE TABLE counter (
    account     BYTEA  NOT NULL,
    meter       BIGINT NOT NULL,
    used        BIGINT NOT NULL,
    top_up_used BIGINT NOT NULL,
    own_used    BIGINT NOT NULL,
    PRIMARY KEY (account, meter)
);

-- Sums by quarter of an hour; quarter is the effective time in units of 900000 ms.
CREATE TABLE rollup (
    account BYTEA  NOT NULL,
    meter   BIGINT NOT NULL,
    quarter BIGINT NOT NULL,
    used    BIGINT NOT NULL,
    top_up  BIGINT NOT NULL,
    PRIMARY KEY (account, meter, quarter)
);

-- Reservations, the last record of each. end_time is that of the last change since it ended.
CREATE TABLE reservation (
    tenant      BYTEA  NOT NULL,
    key         BYTEA  NOT NULL,
    id          TEXT   NOT NULL,
    state       BIGINT NOT NULL,
    open        BIGINT NOT NULL,
    occupied    BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    end_time    BIGINT,
    "partition" BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    record      BYTEA  NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX reservation_time ON reservation (tenant, create_time, key);
CREATE INDEX reservation_open ON reservation ("partition") WHERE open = 1;
CREATE INDEX reservation_open_time ON reservation (tenant, create_time, key) WHERE open = 1;
CREATE INDEX reservation_end ON reservation (end_time) WHERE open = 0 AND occupied = 0;

-- The accounts that a reservation counts on, to list by account.
CREATE TABLE reservation_account (
    tenant      BYTEA  NOT NULL,
    account     BYTEA  NOT NULL,
    create_time BIGINT NOT NULL,
    key         BYTEA  NOT NULL,
    PRIMARY KEY (tenant, account, create_time, key)
);

-- Repeats that came too late to be recognised and are not undone yet.
CREATE TABLE repeated (
    tenant      BYTEA  NOT NULL,
    key         BYTEA  NOT NULL,
    create_time BIGINT NOT NULL,
    "partition" BIGINT NOT NULL,
    record      BYTEA  NOT NULL,
    PRIMARY KEY (tenant, key, create_time)
);

-- Request ids and what they were for; amounts: what a Free by amount gave back.
CREATE TABLE request (
    tenant      BYTEA  NOT NULL,
    key         BYTEA  NOT NULL,
    fingerprint BIGINT NOT NULL,
    kind        BIGINT NOT NULL,
    reservation BYTEA,
    amounts     BYTEA,
    time        BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX request_time ON request (time);
