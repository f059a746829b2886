-- Reads which installation the journal is of.
SELECT id FROM installation WHERE one = 1
