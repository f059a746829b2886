-- Pools: accounts that others spend from. The name is that of the account, the definition is JSON.

CREATE TABLE pool (
    scope           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    definition      TEXT             NOT NULL,
    catalog_version BIGINT           NOT NULL,
    create_time     BIGINT           NOT NULL,
    update_time     BIGINT           NOT NULL,
    deleted         BIGINT           NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX pool_changed ON pool (scope, catalog_version);

-- Which pool an account chose: the name is that of the account, the definition the pool's name as JSON. Of its own, because it
-- belongs to the account's user and not to the documents of administrators.
CREATE TABLE pool_choice (
    scope           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    definition      TEXT             NOT NULL,
    catalog_version BIGINT           NOT NULL,
    create_time     BIGINT           NOT NULL,
    update_time     BIGINT           NOT NULL,
    deleted         BIGINT           NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX pool_choice_changed ON pool_choice (scope, catalog_version);
