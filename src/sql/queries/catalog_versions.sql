-- Purpose: lists the version of every scope that was ever written.
-- Rows: scope, version; in order.
SELECT scope, version FROM catalog_version ORDER BY scope
