-- Defaults of the installation that are locked for tenants whose plan lacks a feature.

ALTER TABLE quota ADD COLUMN locked_without TEXT;
