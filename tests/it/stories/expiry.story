-- Deadlines: holds end by themselves, and what really happened is recorded nevertheless.
clock 2040-03-02T09:00:00Z
apply
    meters:
      - {name: exports, expiry: give_back}
      - {name: trainings, expiry: charge}
      - {name: rentals, expiry: park}
    quotas:
      - {subject: tenants/acme/users/-, meter: exports, limits: {lifetime: 10}}
      - {subject: tenants/acme/users/-, meter: trainings, limits: {lifetime: 10}}
      - {subject: tenants/acme/users/-, meter: rentals, limits: {lifetime: 10}}

# X.04: a hold ends at its deadline, not before, and its amount is free again
reserve r1 users/u exports 10 ttl=90s -> held 10 expires 2040-03-02T09:01:30Z
clock +89s
reserve r2 users/u exports 1 -> denied HELD_BY_OTHERS held 10
clock +1s
reserve r2 users/u exports 1 -> held 1, available 9
get r1 -> expired 0

# X.04: the time to live is bounded, a minute if none is given
clock 2040-03-02T10:00:00Z
reserve r1 users/u exports 1 -> held 1 expires 2040-03-02T10:01:00Z
reserve r2 users/u exports 1 ttl=24h -> held 1 expires 2040-03-03T10:00:00Z
reserve r3 users/u exports 1 ttl=86401s -> error INVALID_ARGUMENT INVALID_FIELD ttl
reserve r3 users/u exports 1 ttl=0s -> error INVALID_ARGUMENT INVALID_FIELD ttl
reserve r3 users/u exports 1 ttl=-5s -> error INVALID_ARGUMENT INVALID_FIELD ttl

# X.04: a late commit is recorded in full and says so, also when there is no room any more
reserve r1 users/u exports 6 ttl=30s -> held 6
clock +31s
consume r2 users/u exports 10 -> committed 10, available 0
commit r1 -> committed 6 late
usage users/u exports -> lifetime limit 10 used 16 held 0 remaining -6
commit r1 -> committed 6 late replayed
release r1 -> error FAILED_PRECONDITION RESERVATION_COMMITTED

# X.04: what the deadline charged is corrected by a late commit to the true amount
reserve r1 users/u trainings 6 ttl=30s -> held 6
reserve r2 users/u trainings 2 ttl=30s -> held 2
clock +31s
usage users/u trainings -> lifetime used 8 held 0
release r2 -> error FAILED_PRECONDITION RESERVATION_COMMITTED
commit r1 users/u trainings 5 -> committed 5 late
usage users/u trainings -> lifetime used 7 held 0

# X.04: what is parked stays held until somebody resolves it
reserve r1 users/u rentals 6 ttl=30s -> held 6
reserve r2 users/u rentals 3 ttl=30s -> held 3
clock +1d
get r1 -> parked 6
usage users/u rentals -> lifetime used 0 held 9
extend r1 ttl=60s -> error FAILED_PRECONDITION RESERVATION_PARKED
commit r1 users/u rentals 4 -> committed 4
release r2 -> released 0
usage users/u rentals -> lifetime used 4 held 0

# X.04: an extended hold lives on; an expired one is not brought back
clock 2040-03-04T09:00:00Z
reserve r1 users/u exports 4 ttl=30s -> held 4
clock +20s
extend r1 ttl=60s -> held 4 expires 2040-03-04T09:01:20Z
-- Never earlier.
extend r1 ttl=1s -> held 4 expires 2040-03-04T09:01:20Z
clock +59s
get r1 -> held 4
clock +1s
extend r1 ttl=60s -> error FAILED_PRECONDITION RESERVATION_EXPIRED
release r1 -> expired 0 replayed
usage users/u exports -> lifetime held 0

# X.04: a deadline passes also while the server is down
clock 2040-03-05T09:00:00Z
reserve r1 users/u exports 4 ttl=30s -> held 4
kill
clock +31s
usage users/u exports -> lifetime used 0 held 0
get r1 -> expired 0

# X.04: what no one knows any more is recorded from the commit's own charges, once
commit gone -> error NOT_FOUND RESERVATION_NOT_FOUND
commit gone users/u exports 3 -> committed 3 late recovered
commit gone users/u exports 3 -> committed 3 late recovered replayed
usage users/u exports -> lifetime used 3
release never -> error NOT_FOUND RESERVATION_NOT_FOUND
