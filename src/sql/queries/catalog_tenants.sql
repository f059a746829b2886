-- Purpose: lists the tenants that have anything configured.
-- Rows: scope; in order.
SELECT scope FROM meter_def WHERE scope <> '' AND deleted = 0
UNION SELECT scope FROM plan WHERE scope <> '' AND deleted = 0
UNION SELECT scope FROM account_record WHERE scope <> '' AND deleted = 0
UNION SELECT scope FROM rate_card WHERE scope <> '' AND deleted = 0
UNION SELECT scope FROM pool WHERE scope <> '' AND deleted = 0
UNION SELECT scope FROM quota WHERE scope <> '' AND state = 'current'
ORDER BY scope
