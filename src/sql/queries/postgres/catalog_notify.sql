-- Purpose: tells who listens, once the transaction is committed. The channel is that of the table that the versions are in: a
-- database may hold several installations, each in a schema of its own.
-- $1 what is told, at most 8000 bytes
-- Rows: one, of no meaning.
SELECT pg_notify('quotad_' || 'catalog_version'::regclass::oid::text, $1)
