-- Limits that are higher for a time, and are what they were again without any call.
apply
    meters: [{name: runs}, {name: dumps, overage: refuse}, {name: spend, min_limit: 1, max_limit: 1_000, may_be_unlimited: false}]
    quotas:
      - {subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 4}}

# Until its end the raise is the limit, from its end on the quota's own is; what is held by then is still committed
clock 2040-05-01T08:00:00Z
set users/u runs lifetime=5 day=3 raise.day=8 raise.lifetime=unlimited until=2040-05-01T09:00:00Z -> set 1
usage users/u runs -> lifetime limit none raised 2040-05-01T09:00:00Z origin OWN; day limit 8 raised 2040-05-01T09:00:00Z used 0
reserve r1 users/u runs 6 ttl=2h -> held 6, available 2
reserve r2 users/u runs 2 ttl=2h -> held 2, available 0
reserve r3 users/u runs 1 -> denied users/u day HELD_BY_OTHERS limit 8
clock 2040-05-01T08:59:59.999Z
release r2 -> released 0
reserve r4 users/u runs 1 ttl=2h -> held 1, available 1
clock 2040-05-01T09:00:00Z
reserve r5 users/u runs 1 -> denied users/u day HELD_BY_OTHERS limit 3 held 7; users/u lifetime HELD_BY_OTHERS limit 5 held 7
check users/u runs 1 -> denied users/u day limit 3; users/u lifetime limit 5
usage users/u runs -> lifetime limit 5 raised none held 7 state EXHAUSTED; day limit 3 raised none held 7 remaining 3
extend r4 users/u runs 1 request=e1 -> denied users/u day limit 3; users/u lifetime limit 5
extend r4 users/u runs 1 request=e1 -> denied replayed users/u day limit 3; users/u lifetime limit 5
extend r4 ttl=2h -> held 1
commit r1 -> committed 6
commit r4 users/u runs 2 -> committed 2 overrun
usage users/u runs -> lifetime limit 5 used 8 held 0 remaining -3; day limit 3 used 8 remaining -5
-- Another day: only the lifetime is spent.
clock 2040-05-02T08:00:00Z
reserve r6 users/u runs 1 -> denied users/u lifetime SPENT limit 5 used 8
-- Raised again, and the calendar begins anew in the time of the raise.
set users/u runs lifetime=20 day=3 raise.day=6 until=2040-05-03T12:00:00Z if=replace -> set 1
consume - users/u runs 6 -> committed 6, available 0
clock 2040-05-03T00:00:00Z
usage users/u runs day -> day limit 6 raised 2040-05-03T12:00:00Z used 0 resets 2040-05-04T00:00:00Z
consume - users/u runs 4 -> committed 4, available 2
clock 2040-05-03T12:00:00Z
reserve - users/u runs 1 -> denied users/u day SPENT limit 3 used 4 remaining -1
clock 2040-05-04T00:00:00Z
reserve - users/u runs 2 -> held 2, available 0
-- Nobody else had more.
reserve - users/v runs 5 -> denied users/v lifetime limit 4

# A repeat is answered as it was first, and a restart in between changes nothing
clock 2040-05-05T08:00:00Z
set users/u runs lifetime=1 raise.lifetime=3 until=2040-05-05T08:05:00Z -> set 1
reserve r1 users/u runs 3 ttl=1h request=a -> held 3
reserve - users/u runs 1 request=b -> denied users/u lifetime limit 3
kill
clock 2040-05-05T08:04:59Z
usage users/u runs -> lifetime limit 3 raised 2040-05-05T08:05:00Z held 3
clock 2040-05-05T08:05:00Z
reserve r1 users/u runs 3 ttl=1h request=a -> held 3 replayed
restart
usage users/u runs -> lifetime limit 1 raised none held 3 remaining 1
commit r1 -> committed 3

# A pattern's raise, and one above: every limit on the path by itself; each ends at its own time
clock 2040-05-06T08:00:00Z
set users/- runs lifetime=4 raise.lifetime=6 until=2040-05-06T08:10:00Z if=replace -> set 1
set . runs lifetime=5 raise.lifetime=100 until=2040-05-06T08:20:00Z -> set 1
consume - users/u runs 6 -> committed 6
usage users/u runs -> lifetime limit 6 raised 2040-05-06T08:10:00Z origin TENANT from users/-
clock 2040-05-06T08:10:00Z
reserve - users/v runs 5 -> denied users/v lifetime limit 4
reserve r1 users/v runs 4 ttl=1h -> held 4
clock 2040-05-06T08:20:00Z
release r1 -> released 0
reserve - users/w runs 1 -> denied . lifetime SPENT limit 5 used 6

# More than was held is judged by the limit in force when it is committed
clock 2040-05-07T08:00:00Z
set users/u dumps lifetime=5 raise.lifetime=10 until=2040-05-07T08:10:00Z -> set 1
reserve r1 users/u dumps 4 ttl=1h -> held 4
reserve r2 users/u dumps 3 ttl=1h -> held 3
commit r2 users/u dumps 4 part request=p -> partly 4 overrun
clock 2040-05-07T08:10:00Z
commit r1 users/u dumps 5 -> error FAILED_PRECONDITION OVERAGE_REFUSED
commit r1 -> committed 4

# An edit keeps the raise, a new version and a document that does not say it do not
clock 2040-05-08T08:00:00Z
set users/u runs lifetime=5 raise.lifetime=9 until=2040-05-08T09:00:00Z -> set 1
set users/u runs lifetime=6 if=replace -> set 1
usage users/u runs -> lifetime limit 9 raised 2040-05-08T09:00:00Z
-- What is not above the quota's own any more is gone.
set users/u runs lifetime=10 if=replace -> set 1
usage users/u runs -> lifetime limit 10 raised none
set users/u runs lifetime=5 if=replace -> set 1
usage users/u runs -> lifetime limit 5 raised none
set users/u runs lifetime=5 raise.lifetime=9 until=2040-05-08T09:00:00Z if=replace -> set 1
set users/u runs lifetime=5 if=supersede -> set 2
usage users/u runs -> lifetime limit 5 raised none
unset users/u runs reopen -> unset 1
usage users/u runs -> lifetime limit 9 raised 2040-05-08T09:00:00Z
quota users/u runs lifetime=5 -> applied 1
usage users/u runs -> lifetime limit 5 raised none

# A document with a raise says the same once it is over
clock 2040-05-09T08:00:00Z
apply -> applied 1
    quotas: [{subject: tenants/acme/users/u, meter: runs, limits: {day: {amount: 5, zone: Asia/Shanghai}}, raise: {limits: {day: 7}, until: 2040-05-09T09:00:00Z}}]
usage users/u runs day -> day limit 7 raised 2040-05-09T09:00:00Z zone Asia/Shanghai
clock 2040-05-09T09:00:00Z
apply -> applied 0
    quotas: [{subject: tenants/acme/users/u, meter: runs, limits: {day: {amount: 5, zone: Asia/Shanghai}}, raise: {limits: {day: 7}, until: 2040-05-09T09:00:00Z}}]
usage users/u runs day -> day limit 5 raised none
apply -> applied 1
    quotas: [{subject: tenants/acme/users/x, meter: runs, limits: {day: 5}, raise: {limits: {day: 7}, until: 2040-01-01T00:00:00Z}}]
usage users/x runs day -> day limit 5 raised none

# What is wrong with a raise is said at once, in a call and in a document
clock 2040-05-10T08:00:00Z
set users/u runs lifetime=5 raise.lifetime=5 until=2040-05-10T09:00:00Z -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.limits[0] message "must be above the quota's own lifetime limit, which is 5"
set users/u runs lifetime=unlimited raise.lifetime=5 until=2040-05-10T09:00:00Z -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.limits[0]
set users/u runs lifetime=5 raise.day=6 until=2040-05-10T09:00:00Z -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.limits[0] message "no day limit of its own"
set users/u runs lifetime=5 raise.lifetime=6 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.until
set users/u runs lifetime=5 until=2040-05-10T08:00:00Z -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.until quotas[0].raise.limits
set users/u spend day=5 month=7 raise.day=8 until=2040-05-10T09:00:00Z -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.limits[0] message "day must not be above month: 8 is above 7"
set users/u spend day=5 month=7 raise.day=8 raise.month=9 until=2040-05-10T09:00:00Z -> set 1
set users/u spend day=5 month=9 raise.day=1_001 raise.month=unlimited until=2040-05-10T07:00:00Z if=supersede -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].raise.until quotas[0].raise.limits[0].amount quotas[0].raise.limits[1]
apply -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].raise.until quotas[1].raise quotas[2].raise.till quotas[2].raise.limits.day quotas[3].raise.limits quotas[4].raise.limits.day quotas[4].raise.limits.week
    quotas:
      - {subject: tenants/acme/users/a, meter: runs, limits: {day: 5}, raise: {limits: {day: 7}, until: soon}}
      - {subject: tenants/acme/users/b, meter: runs, limits: {day: 5}, raise: 7}
      - {subject: tenants/acme/users/c, meter: runs, limits: {day: 5}, raise: {limits: {day: much}, until: 2041-01-01T00:00:00Z, till: 5}}
      - {subject: tenants/acme/users/d, meter: runs, limits: {day: 5}, raise: {until: 2041-01-01T00:00:00Z}}
      - {subject: tenants/acme/users/e, meter: runs, limits: {day: 5}, raise: {limits: {day: 4, week: 9}, until: 2041-01-01T00:00:00Z}}
usage users/a runs -> lifetime limit 4
