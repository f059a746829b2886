-- Purpose: lists the quotas of a scope of which a version was written after a version of the catalog, each as it is now.
-- $1 scope, $2 version, $3 how many
-- Rows: subject, meter, version, create_time, update_time, limits, top_up, hold_share, enforcement, note, locked_without, raised; all but subject and
-- meter are null where no version is current.
SELECT changed.subject, changed.meter, quota.version, quota.create_time, quota.update_time, quota.limits, quota.top_up,
  quota.hold_share, quota.enforcement, quota.note, quota.locked_without, quota.raised
FROM (SELECT DISTINCT subject, meter FROM quota WHERE scope = $1 AND catalog_version > $2 LIMIT $3) AS changed
LEFT JOIN quota ON quota.scope = $1 AND quota.subject = changed.subject AND quota.meter = changed.meter AND quota.state = 'current'
