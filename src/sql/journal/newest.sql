-- The number of a partition's newest entry, 0 if it has none. $1 partition.
SELECT COALESCE(MAX(seq), 0) FROM journal WHERE partition = $1
