-- Removes what the ledger has, but never a partition's newest entry: by it a start sees that the ledger is an older one.
-- $1 partition, $2 the last number that may go, $3 rows at most.
DELETE FROM journal
 WHERE partition = $1
   AND seq IN (SELECT seq FROM journal
                WHERE partition = $1 AND seq <= $2 AND seq < (SELECT MAX(seq) FROM journal WHERE partition = $1)
                ORDER BY seq LIMIT $3)
