-- Purpose: a page of what was changed in a scope, newest first.
-- $1 scope, $2 id before which the page begins, $3 first time, $4 time after the last, $5 first subject, $6 subject after the
-- last, $7 how many
-- Rows: id, time, actor, action, subject, before, after.
SELECT id, time, actor, action, subject, before, after FROM audit
WHERE scope = $1 AND id < $2 AND time >= $3 AND time < $4 AND subject >= $5 AND subject < $6
ORDER BY id DESC
LIMIT $7
