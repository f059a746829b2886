-- Overflow lists: when the chosen pool has no room, the next one of its list is asked.
apply
    meters: [{name: cost, default_policy: deny}, {name: calls}]
    accounts:
      - {name: tenants/acme/users/ann, labels: {role: student}}
      - {name: tenants/acme/users/bob, labels: {role: student}}
    pools:
      - {account: tenants/acme/pools/a, meters: [cost], rule: {role: student}, overflow: [tenants/acme/pools/b, tenants/acme/pools/c]}
      - {account: tenants/acme/pools/b, meters: [cost], members: [tenants/acme/users/ann], items: {deny: [large]}}
      - {account: tenants/acme/pools/c, meters: [cost], rule: {role: student}, overflow: [tenants/acme/pools/d]}
      - {account: tenants/acme/pools/d, meters: [cost], rule: {role: student}}
    quotas:
      - {subject: tenants/acme/pools/a, meter: cost, limits: {lifetime: 10}}
      - {subject: tenants/acme/pools/b, meter: cost, limits: {lifetime: 20}}
      - {subject: tenants/acme/pools/c, meter: cost, limits: {lifetime: 30}}
      - {subject: tenants/acme/pools/d, meter: cost, limits: {lifetime: 1_000}}
      - {subject: tenants/acme/users/bob, meter: cost, limits: {lifetime: 50}}

# The first pool that has room pays, and stays the one that paid
switch users/ann pools/a -> active pools/a
reserve r1 users/ann cost 8 -> held 8
check users/ann cost 3 -> granted .; users/ann; pools/b limit 20
reserve r2 users/ann cost 3 request=q2 -> held 3
usage pools/a cost -> lifetime held 8
usage pools/b cost -> lifetime held 3
-- A repeat finds it, whichever pool has room by now.
release r1 -> released 0
reserve r2 users/ann cost 3 request=q2 -> held 3 replayed
reserve r2 users/ann cost 3 -> held 3 replayed
usage pools/a cost -> lifetime held 0
commit r2 users/ann cost 4 -> committed 4 overrun
usage pools/b cost -> lifetime used 4 held 0
-- What fits nowhere but in the third goes there; the list of that one is not asked.
consume - users/ann cost 25 -> committed 25
usage pools/c cost -> lifetime used 25
reserve - users/ann cost 31 request=q3 -> denied pools/a SPENT limit 10 used 0 requested 31 tried pools/b,pools/c
reserve - users/ann cost 31 request=q3 -> denied replayed pools/a SPENT limit 10 tried ""
check users/ann cost 31 -> denied pools/a limit 10 tried pools/b,pools/c
usage pools/d cost -> lifetime used 0
-- The denial stands for its request, though there is room by now; another request finds it.
set pools/a cost lifetime=40 if=replace -> set 1
reserve - users/ann cost 31 request=q3 -> denied replayed pools/a
reserve - users/ann cost 31 request=q4 -> held 31

# Who may not use a pool of the list, or whose item it does not permit, passes it over
switch users/bob pools/a -> active pools/a
consume - users/bob cost 11 -> committed 11
usage pools/b cost -> lifetime used 0
usage pools/c cost -> lifetime used 11
switch users/ann pools/a -> active pools/a
consume - users/ann cost 12 item=large -> committed 12
usage pools/c cost -> lifetime used 23
-- Permission to use the chosen one is never a matter of room.
apply
    pools: [{account: tenants/acme/pools/a, meters: [cost], rule: {role: student}, enabled: false, overflow: [tenants/acme/pools/b]}]
consume - users/ann cost 1 -> denied pools/a POOL_DISABLED tried ""

# A limit that the next pool would not help with is the answer: the payer's own, the tenant's
switch users/bob pools/a -> active pools/a
consume - users/bob cost 51 -> denied pools/a limit 10 tried ""; users/bob SPENT limit 50
set . cost lifetime=5 -> set 1
switch users/ann pools/a -> active pools/a
consume - users/ann cost 11 -> denied . limit 5 tried ""; pools/a limit 10
-- A pool that the charge names turns to no other.
set . cost lifetime=500 if=replace -> set 1
consume - users/ann cost 11 also=pools/a -> denied pools/a tried ""

# Of several that pay, each turns by itself where that makes room; those on one pool turn together
apply
    pools:
      - {account: tenants/acme/pools/x, meters: [cost], rule: {role: student}, overflow: [tenants/acme/pools/y]}
      - {account: tenants/acme/pools/y, meters: [cost], rule: {role: student}}
    quotas:
      - {subject: tenants/acme/pools/x, meter: cost, limits: {lifetime: 10}}
      - {subject: tenants/acme/pools/y, meter: cost, limits: {lifetime: 5}}
      - {subject: tenants/acme/pools/b, meter: cost, limits: {lifetime: 4}}
      - {subject: tenants/acme/pools/c, meter: cost, limits: {lifetime: 30}}
switch users/ann pools/a -> active pools/a
switch users/bob pools/x -> active pools/x
-- No room for ann in a and b, none for bob in y: she in c, he where he is.
reserve r1 users/ann cost 11 + users/bob cost 6 -> held 11 6
usage pools/c cost -> lifetime held 11
usage pools/x cost -> lifetime held 6
usage pools/y cost -> lifetime held 0
-- She has room where she is, he has not.
reserve r2 users/ann cost 7 + users/bob cost 5 -> held 7 5
usage pools/a cost -> lifetime held 7
usage pools/y cost -> lifetime held 5
-- What fits nowhere is the chosen pools' denial.
reserve - users/ann cost 31 + users/bob cost 5 -> denied pools/a limit 10; pools/x limit 10
release r1 -> released 0 0
release r2 -> released 0 0
-- Both on one pool, and both turn.
switch users/bob pools/a -> active pools/a
reserve r3 users/ann cost 6 + users/bob cost 5 -> held 6 5
usage pools/c cost -> lifetime held 11
usage pools/a cost -> lifetime held 0

# Many at once fill one pool after the other, and none beyond its limit
switch users/ann pools/a -> active pools/a
race 70 reserve - users/ann cost 1 -> granted 60 denied 10
usage pools/a cost -> lifetime held 10
usage pools/b cost -> lifetime held 20
usage pools/c cost -> lifetime held 30

# What is wrong with a list is said at once
apply -> error INVALID_ARGUMENT CATALOG_INVALID pools[0].overflow[0] pools[0].overflow[1] pools[0].overflow[2] pools[0].overflow[4] pools[0].overflow[5] pools[1].overflow
    pools:
      - {account: tenants/acme/pools/x, meters: [cost], overflow: [tenants/other/pools/a, tenants/acme/pools/x, tenants/acme/pools/none, tenants/acme/pools/b, tenants/acme/pools/b, tenants/acme/pools/y]}
      - {account: tenants/acme/pools/y, meters: [cost], join: always, overflow: [tenants/acme/pools/b]}
apply -> applied 1
    pools: [{account: tenants/acme/pools/x, meters: [cost], overflow: [tenants/acme/pools/b]}]
apply -> applied 0
    pools: [{account: tenants/acme/pools/x, meters: [cost], overflow: [tenants/acme/pools/b]}]
