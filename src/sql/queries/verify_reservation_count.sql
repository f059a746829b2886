-- Purpose: how many reservations there are, for an audit.
-- $1 create_time from which on they are counted
-- Rows: number.
SELECT COUNT(*) FROM reservation WHERE create_time >= $1
