-- Removes what the ledger has. $1 partition, $2 the last number that may go, $3 rows at most.
DELETE FROM journal
 WHERE partition = $1
   AND seq IN (SELECT seq FROM journal WHERE partition = $1 AND seq <= $2 ORDER BY seq LIMIT $3)
