-- What a meter decides: unit, admission, overage, when it is charged, shares.
apply installation -> applied 0
    meters: []

# S0.03: training in runs or minutes, export in jobs or bytes; the unit is the meter's, and both may bind at once
apply
    meters:
      - {name: train.runs, unit: run}
      - {name: train.minutes, unit: minute}
      - {name: dump.jobs, unit: job}
      - {name: dump.bytes, unit: byte}
    quotas:
      - {subject: tenants/acme/users/-, meter: train.minutes, limits: {lifetime: 600}}
      - {subject: tenants/acme/users/-, meter: dump.jobs, limits: {lifetime: 3}}
      - {subject: tenants/acme/users/-, meter: dump.bytes, limits: {lifetime: 1_000}}
usage users/u train.runs -> unit run decimals 0
usage users/u train.minutes -> unit minute limit 600
usage users/u dump.bytes -> unit byte limit 1_000
reserve e1 users/u dump.jobs 1 + users/u dump.bytes 800 -> held 1 800
reserve e2 users/u dump.jobs 1 + users/u dump.bytes 300 -> denied dump.bytes HELD_BY_OTHERS remaining 200 requested 300
-- The refused one took no job either.
usage users/u dump.jobs -> held 1
reserve e2 users/u dump.jobs 1 + users/u dump.bytes 200 -> held 1 200
commit e1 users/u dump.jobs 1 + users/u dump.bytes 750 -> committed 1 750
commit e2 -> committed 1 200
usage users/u dump.bytes -> used 950 held 0 remaining 50
usage users/u dump.jobs -> used 2 held 0 remaining 1

# S0.36: the true amount is known at the end: less frees the rest at once, more is recorded in full and then blocks
apply
    meters: [{name: dump.bytes, unit: byte}]
    quotas: [{subject: tenants/acme/users/-, meter: dump.bytes, limits: {lifetime: 1_000}}]
reserve e1 users/u dump.bytes 600 -> held 600, available 400
commit e1 users/u dump.bytes 250 -> committed 250, available 750
reserve e2 users/u dump.bytes 700 -> held 700, available 50
commit e2 users/u dump.bytes 900 -> committed 900 overrun, available 0
usage users/u dump.bytes -> limit 1_000 used 1_150 remaining -150 state EXHAUSTED
reserve e3 users/u dump.bytes 1 -> denied SPENT limit 1_000 used 1_150 remaining -150
-- More than held, but it fits: overrun all the same, because the hold was passed.
reserve e1b users/v dump.bytes 10 -> held 10
commit e1b users/v dump.bytes 20 -> committed 20 overrun

# A meter that caps records only what fits
apply
    meters: [{name: dump.bytes, overage: cap}]
    quotas: [{subject: tenants/acme/users/-, meter: dump.bytes, limits: {lifetime: 100}}]
reserve e users/u dump.bytes 60 -> held 60
reserve other users/u dump.bytes 30 -> held 30
commit e users/u dump.bytes 90 -> committed 70 overrun, available 0

# A meter that refuses leaves the hold as it is
apply
    meters: [{name: dump.bytes, overage: refuse}]
    quotas: [{subject: tenants/acme/users/-, meter: dump.bytes, limits: {lifetime: 100}}]
reserve e users/u dump.bytes 60 -> held 60
commit e users/u dump.bytes 101 -> error FAILED_PRECONDITION OVERAGE_REFUSED
get e -> held 60
commit e users/u dump.bytes 100 -> committed 100 overrun, available 0

# A meter that charges at the reserve gives nothing back
apply
    meters: [{name: seats, charge: on_reserve}]
    quotas: [{subject: tenants/acme/users/-, meter: seats, limits: {lifetime: 10}}]
reserve r users/u seats 4 ttl=30s -> held 0, available 6
usage users/u seats -> used 4 held 0
clock +31s
usage users/u seats -> used 4 held 0
reserve s users/u seats 4 -> held 0, available 2
release s -> released 4
usage users/u seats -> used 8 available 2

# A hold may take only its share of the limit
apply
    meters: [{name: runs}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 100}, hold_share_percent: 10}]
reserve a users/u runs 11 -> denied HOLD_SHARE limit 100 remaining 100 requested 11
reserve b users/u runs 10 -> held 10

# A shadow quota counts and never denies
apply
    meters: [{name: runs}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 5}, enforcement: shadow}]
consume - users/u runs 8 -> committed 8
usage users/u runs -> lifetime SHADOW limit 5 used 8 remaining -3

# X.10: amounts are 64-bit integers, exact to 2^53-1; what is beyond is denied and counts nothing
apply
    meters: [{name: bytes, unit: byte}, {name: money, unit: EUR, decimals: 6}]
    quotas:
      - {subject: tenants/acme/users/-, meter: bytes, limits: {lifetime: 9_223_372_036_854_775_807}}
      - {subject: tenants/acme/users/-, meter: money, limits: {lifetime: "0.50"}}
usage users/u bytes -> limit 9_223_372_036_854_775_807 used 0
consume - users/u bytes 9_007_199_254_740_991 -> committed 9_007_199_254_740_991
usage users/u bytes -> used 9_007_199_254_740_991
consume - users/u bytes 1 -> denied . AMOUNT_RANGE requested 1; users/u AMOUNT_RANGE used 9_007_199_254_740_991 requested 1
consume - users/v bytes 9_007_199_254_740_992 -> denied . AMOUNT_RANGE; users/v AMOUNT_RANGE
consume - users/v bytes 9_223_372_036_854_775_807 -> denied . AMOUNT_RANGE; users/v AMOUNT_RANGE
check users/v bytes 9_007_199_254_740_992 -> denied . AMOUNT_RANGE; users/v AMOUNT_RANGE
usage users/v bytes -> used 0
-- Money is a whole number of the smallest unit: a third of a cent more than half a euro is refused, exactly the rest fits.
consume - users/u money 499_997 -> committed 499_997, available 3
consume - users/u money 4 -> denied SPENT limit 500_000 used 499_997 remaining 3
consume - users/u money 3 -> committed 3, available 0
