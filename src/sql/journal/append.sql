-- Writes one entry. $1 partition, $2 number, $3 the encoded entry.
INSERT INTO journal (partition, seq, entry) VALUES ($1, $2, $3)
