-- Purpose: whether an account ever used a top-up on a meter, for an audit.
-- $1 account, $2 meter
-- Rows: one with 1 if it did; else none.
SELECT CAST(1 AS BIGINT)
WHERE EXISTS (SELECT 1 FROM posting WHERE account = $1 AND meter = $2 AND top_up <> 0)
   OR EXISTS (SELECT 1 FROM counter WHERE account = $1 AND meter = $2 AND top_up_used <> 0)
