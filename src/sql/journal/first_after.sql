-- The first entry after a number. $1 partition, $2 the number. Rows: encoded entry.
SELECT entry FROM journal WHERE partition = $1 AND seq > $2 ORDER BY seq LIMIT 1
