-- Writes the entries of a group commit: the group of values is repeated for each. $1 partition, $2 number, $3 the encoded entry.
INSERT INTO journal (partition, seq, entry) VALUES ($1, $2, $3)
