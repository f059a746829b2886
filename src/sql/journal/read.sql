-- Reads on. $1 partition, $2 the number after which to begin. Rows: number, encoded entry, in order.
SELECT seq, entry FROM journal WHERE partition = $1 AND seq > $2 ORDER BY seq
