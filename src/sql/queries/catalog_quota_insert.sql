-- Purpose: makes a new current version of a quota; its number follows the highest that there was.
-- $1 scope, $2 subject, $3 meter, $4 time, $5 catalog version, $6 limits, $7 top_up, $8 hold_share, $9 enforcement, $10 note,
-- $11 locked_without, $12 raised
-- Rows: none.
INSERT INTO quota (scope, subject, meter, version, state, create_time, update_time, catalog_version, limits, top_up,
                   hold_share, enforcement, note, locked_without, raised)
VALUES ($1, $2, $3,
        (SELECT COALESCE(MAX(version), 0) + 1 FROM quota WHERE scope = $1 AND subject = $2 AND meter = $3),
        'current', $4, $4, $5, $6, $7, $8, $9, $10, $11, $12)
