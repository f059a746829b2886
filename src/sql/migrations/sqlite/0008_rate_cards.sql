-- Prices, and what a line of the ledger says about money. A rate card's name is its meter and when it begins.

CREATE TABLE rate_card (
    scope           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    catalog_version INTEGER NOT NULL,
    create_time     INTEGER NOT NULL,
    update_time     INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

-- Beside cost_exact, which is the final cost: the service, what its cost is multiplied with, and, where quantities were priced, these
-- as JSON and their original cost. Money has 10 decimals.
ALTER TABLE entry ADD COLUMN service TEXT;
ALTER TABLE entry ADD COLUMN discount TEXT;
ALTER TABLE entry ADD COLUMN quantities TEXT;
ALTER TABLE entry ADD COLUMN cost_original TEXT;
