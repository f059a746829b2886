-- Pools: accounts that others spend from. The name is that of the account, the definition is JSON.

CREATE TABLE pool (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE INDEX pool_changed ON pool (scope, catalog_version);

-- Which pool an account chose: the name is that of the account, the definition the pool's name as JSON. Of its own, because it
-- belongs to the account's user and not to the documents of administrators.
CREATE TABLE pool_choice (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE INDEX pool_choice_changed ON pool_choice (scope, catalog_version);
