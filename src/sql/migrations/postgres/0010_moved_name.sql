-- Names that do not stand for the account that they were derived from: accounts that were moved, and what they were called before.
-- The definition is JSON. moving: 1 while a move is under way, so that those are found at once.

CREATE TABLE moved_name (
    scope           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    definition      TEXT             NOT NULL,
    moving          BIGINT           NOT NULL,
    catalog_version BIGINT           NOT NULL,
    create_time     BIGINT           NOT NULL,
    update_time     BIGINT           NOT NULL,
    deleted         BIGINT           NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX moved_name_changed ON moved_name (scope, catalog_version);
CREATE INDEX moved_name_moving ON moved_name (scope, name) WHERE moving = 1;
