-- Requests for more: what was asked for, what was in use then, and what was decided. Wanted, seen and granted are JSON.

CREATE TABLE limit_request (
    scope        TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    account      TEXT COLLATE "C" NOT NULL,
    meter        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected')),
    create_time  BIGINT NOT NULL,
    wanted       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    requester    TEXT NOT NULL,
    seen         TEXT NOT NULL,
    granted      TEXT NOT NULL,
    resolver     TEXT NOT NULL,
    comment      TEXT NOT NULL,
    resolve_time BIGINT,
    PRIMARY KEY (scope, id)
);
CREATE INDEX limit_request_time ON limit_request (scope, create_time, id);
