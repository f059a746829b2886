-- Purpose: names the channel on which catalog_notify tells.
-- Rows: one: the channel.
SELECT 'quotad_' || 'catalog_version'::regclass::oid::text
