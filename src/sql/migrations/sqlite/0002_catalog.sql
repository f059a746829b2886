-- The catalog: everything configured. A scope is a tenant's name, or empty for the installation. Times are milliseconds
-- since 1970. Every write draws one version from the sequence and leaves it on all rows that it touched.

CREATE TABLE catalog_sequence (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
);
INSERT INTO catalog_sequence (id, value) VALUES (1, 0);

-- The version of each scope's own part.
CREATE TABLE catalog_version (
    scope   TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) WITHOUT ROWID;

-- What is counted. The definition is JSON. A deleted row stays, so that reports can name what was counted once.
CREATE TABLE meter_def (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

CREATE TABLE plan (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

CREATE TABLE account_record (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

-- Every version of every quota. At most one of a subject and meter is current; the others keep their history: closed
-- when a newer one took over, deleted when it was removed. The limits are JSON.
CREATE TABLE quota (
    id              INTEGER NOT NULL PRIMARY KEY,
    scope           TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    meter           TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('current', 'closed', 'deleted')),
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    close_time      INTEGER,
    catalog_version INTEGER NOT NULL,
    limits          TEXT    NOT NULL,
    top_up          INTEGER,
    hold_share      INTEGER,
    enforcement     TEXT    NOT NULL,
    note            TEXT    NOT NULL
);
CREATE UNIQUE INDEX quota_version ON quota (scope, subject, meter, version);
CREATE UNIQUE INDEX quota_current ON quota (scope, subject, meter) WHERE state = 'current';

-- Who changed what, when, in the same transaction as the change. Before and after are JSON; none where nothing was.
CREATE TABLE audit (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    scope   TEXT    NOT NULL,
    version INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    before  TEXT,
    after   TEXT
);
CREATE INDEX audit_scope ON audit (scope, id);
