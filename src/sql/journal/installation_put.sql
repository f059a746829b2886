-- Notes which installation the journal is of. $1 its id.
INSERT INTO installation (one, id) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET id = excluded.id
