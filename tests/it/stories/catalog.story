-- What may be set: documents are judged as a whole, every fault is named, nothing is half applied.

# S4.08, S4.07: daily <= monthly <= yearly, each pair only where both are there; equal is allowed
apply
    meters: [{name: spend, unit: EUR, decimals: 6}]
quota . spend day=10 month=10 year=10 -> applied 1
quota . spend day=1 month=2 year=3 -> applied 1
quota . spend month=3 year=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.month message "month must not be above year: 3 is above 2"
quota . spend day=3 month=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day message "day must not be above month"
quota . spend day=3 year=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day message "day must not be above year"
quota . spend day=3 month=2 year=1 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day quotas[0].limits.month quotas[0].limits.day
-- Where one is missing or lifted, there is nothing to compare.
quota . spend day=3 year=4 -> applied 1
quota . spend day=5 month=unlimited year=5 -> applied 1
quota . spend day=5 month=0 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day
-- On an edit the resulting three are judged, and a refusal leaves what was.
quota . spend day=6 year=5 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day
usage . spend -> day limit 5; month limit none; year limit 5
-- User and subtenant quotas obey the same order.
quota subtenants/a spend day=3 month=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day
quota subtenants/a/users/u spend month=3 year=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.month
quota subtenants/-/users/- spend day=3 month=2 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.day

# S4.07: none of the three is needed; empty restricts nothing, 0 blocks
apply
    meters: [{name: spend, unit: EUR, decimals: 6}]
quota users/u spend -> applied 1
consume - users/u spend 1_000_000_000 -> committed 1_000_000_000
usage users/u spend -> lifetime limit none used 1_000_000_000 state NORMAL
quota users/u spend day=0 -> applied 1
reserve - users/u spend 1 -> denied users/u day SPENT limit 0 remaining -1_000_000_000
quota users/u spend month=2_000.00 -> applied 1
consume - users/u spend 1_000_000_000 -> committed 1_000_000_000
reserve - users/u spend 1 -> denied users/u month SPENT limit 2_000_000_000 used 2_000_000_000

# S3.14: a cron expression is judged when it is saved
apply
    meters: [{name: cost}]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.cron.cron
    quotas: [{subject: tenants/acme/pools/p, meter: cost, limits: {cron: {amount: 5, cron: "0 25 * * FRI"}}}]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.cron.cron
    quotas: [{subject: tenants/acme/pools/p, meter: cost, limits: {cron: {amount: 5, cron: "0 0 1 * * FRI"}}}]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.cron.cron
    quotas: [{subject: tenants/acme/pools/p, meter: cost, limits: {cron: {amount: 5, cron: "0 0 31 2 *"}}}]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.cron.zone
    quotas: [{subject: tenants/acme/pools/p, meter: cost, limits: {cron: {amount: 5, cron: "0 1 * * FRI", zone: Mars/Olympus}}}]
apply -> applied 1
    quotas: [{subject: tenants/acme/pools/p, meter: cost, limits: {cron: {amount: 5, cron: "0 1 * * FRI", zone: Asia/Shanghai}}}]

# Every fault at once, and then nothing is changed
apply
    meters: [{name: runs, min_limit: 1, max_limit: 100, may_be_unlimited: false}]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime quotas[1].limits.lifetime quotas[2].limits.lifetime quotas[3].meter
    quotas:
      - {subject: tenants/acme/users/a, meter: runs, limits: {lifetime: 0}}
      - {subject: tenants/acme/users/b, meter: runs, limits: {lifetime: 101}}
      - {subject: tenants/acme/users/c, meter: runs, limits: {lifetime: unlimited}}
      - {subject: tenants/acme/users/d, meter: walks, limits: {lifetime: 5}}
      - {subject: tenants/acme/users/e, meter: runs, limits: {lifetime: 5}}
usage users/e runs -> lifetime limit none origin none
quota users/a runs lifetime=-1 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime message "must not be negative"

# The same document again changes nothing, a dry run neither
apply -> applied 2
    meters: [{name: runs}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 5}}]
apply -> applied 0
    meters: [{name: runs}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 5}}]
apply dry_run -> applied 1, UPDATE quota
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 6}}]
usage users/u runs -> lifetime limit 5
