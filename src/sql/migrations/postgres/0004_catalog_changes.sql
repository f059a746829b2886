-- To find what changed in a catalog after a version that a replica has, without reading all of it.

CREATE INDEX account_record_changed ON account_record (scope, catalog_version);
CREATE INDEX quota_changed ON quota (scope, catalog_version);
