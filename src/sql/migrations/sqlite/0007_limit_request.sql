-- Requests for more: what was asked for, what was in use then, and what was decided. Wanted, seen and granted are JSON.

CREATE TABLE limit_request (
    scope        TEXT NOT NULL,
    id           TEXT NOT NULL,
    account      TEXT NOT NULL,
    meter        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected')),
    create_time  INTEGER NOT NULL,
    wanted       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    requester    TEXT NOT NULL,
    seen         TEXT NOT NULL,
    granted      TEXT NOT NULL,
    resolver     TEXT NOT NULL,
    comment      TEXT NOT NULL,
    resolve_time INTEGER,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE INDEX limit_request_time ON limit_request (scope, create_time, id);
