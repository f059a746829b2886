-- Limits that stand in place of a quota's own until a time.

ALTER TABLE quota ADD COLUMN raised TEXT;
