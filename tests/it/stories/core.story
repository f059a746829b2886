-- What every system stands on: check, reserve, commit, release over several accounts, windows and meters.
apply
    meters: [{name: calls, unit: call}, {name: tokens, unit: token}, {name: disk, unit: byte, family: allocation}]
    quotas:
      - {subject: tenants/acme, meter: calls, limits: {lifetime: 100}}
      - {subject: tenants/acme/teams/-, meter: calls, limits: {lifetime: 60}}
      - {subject: tenants/acme/teams/-/users/-, meter: calls, limits: {day: 20, lifetime: 40}}
      - {subject: tenants/acme/teams/-/users/-, meter: tokens, limits: {lifetime: 1_000}}

# X.01: a check answers and changes nothing
check teams/t/users/u calls 20 -> granted
check teams/t/users/u calls 21 -> denied teams/t/users/u day SPENT limit 20 used 0 held 0 remaining 20 requested 21
check teams/t/users/u calls 20 -> granted
usage teams/t/users/u calls -> lifetime used 0 held 0; day used 0 held 0

# X.01: a reserve holds on every account and window of the path; a denial holds nowhere
reserve r1 teams/t/users/u calls 20 -> held 20, available 0
usage teams/t/users/u calls -> lifetime held 20; day held 20
usage teams/t calls -> lifetime limit 60 held 20
usage . calls -> lifetime limit 100 held 20
reserve r2 teams/t/users/u calls 1 -> denied teams/t/users/u day HELD_BY_OTHERS limit 20 held 20
usage teams/t calls -> lifetime held 20
usage . calls -> lifetime held 20
-- Two meters, one refused: neither is held.
reserve r3 teams/t/users/v calls 1 + teams/t/users/v tokens 1_001 -> denied teams/t/users/v tokens SPENT limit 1_000
usage teams/t/users/v calls -> lifetime held 0; day held 0
-- Every limit that stands in the way is named, the one with the least left first.
reserve r4 teams/t/users/u calls 50 -> denied teams/t/users/u day limit 20 remaining 0; teams/t/users/u lifetime limit 40 remaining 20; teams/t lifetime limit 60 remaining 40
commit r1 -> committed 20
usage . calls -> lifetime used 20 held 0
usage teams/t/users/u calls -> lifetime used 20 held 0; day used 20 held 0

# X.01: a commit of the same, of less, of more; a release drops the hold
reserve r1 teams/t/users/u calls 5 -> held 5
commit r1 -> committed 5
reserve r2 teams/t/users/u calls 5 -> held 5, available 10
commit r2 teams/t/users/u calls 3 -> committed 3, available 12
reserve r3 teams/t/users/u calls 5 -> held 5, available 7
commit r3 teams/t/users/u calls 6 -> committed 6 overrun, available 6
reserve r4 teams/t/users/u calls 5 -> held 5, available 1
release r4 -> released 0
usage teams/t/users/u calls -> lifetime used 14 held 0; day used 14 held 0 remaining 6
usage teams/t calls -> lifetime used 14 held 0

# X.01: several charges of one reservation are settled each by itself
reserve r1 teams/t/users/u calls 4 + teams/t/users/u tokens 300 item=m1 + teams/t/users/u tokens 200 item=m2 -> held 4 300 200; teams/t/users/u tokens m1 held 300; tokens m2 held 200
usage teams/t/users/u tokens -> lifetime held 500
-- Held charges that a final commit does not list are released.
commit r1 teams/t/users/u tokens 250 item=m1 -> committed 0 250 0
usage teams/t/users/u tokens -> lifetime used 250 held 0
usage teams/t/users/u calls -> lifetime used 0 held 0; day used 0 held 0
-- A charge that was never held is bad input.
reserve r2 teams/t/users/u calls 1 -> held 1
commit r2 teams/t/users/u tokens 1 -> error INVALID_ARGUMENT CHARGE_NOT_HELD charges[0]
get r2 -> held 1

# X.01: one release may drop a part
reserve r1 teams/t/users/u calls 4 + teams/t/users/u tokens 300 -> held 4 300
release r1 teams/t/users/u tokens 300 -> held 4 0
release r1 -> released 0 0
usage teams/t/users/u calls -> lifetime used 0 held 0; day used 0 held 0

# X.02: n reserves at once on a limit L grant exactly min(n, L), over all levels
race 60 reserve - teams/t/users/u calls 1 -> granted 20 denied 40
usage teams/t/users/u calls -> lifetime held 20; day held 20 available 0
race 15 reserve - teams/t/users/v calls 1 -> granted 15 denied 0
usage teams/t calls -> lifetime held 35
race 60 consume - teams/s/users/a calls 1 -> granted 20 denied 40
race 60 consume - teams/s/users/b calls 1 -> granted 20 denied 40
usage teams/s calls -> lifetime used 40
usage . calls -> lifetime used 40 held 35 available 25

# X.02: at a shared level the last unit goes to one
consume - teams/t/users/a calls 20 -> committed 20
consume - teams/t/users/b calls 20 -> committed 20
consume - teams/t/users/c calls 19 -> committed 19
race 30 reserve - teams/t/users/d calls 1 -> granted 1 denied 29
usage teams/t calls -> lifetime used 59 held 1 available 0

# X.06: a killed server forgets nothing that it answered
reserve r1 teams/t/users/u calls 5 ttl=1h -> held 5 journaled
consume r2 teams/t/users/u calls 3 -> committed 3 journaled
reserve r3 teams/t/users/u calls 2 ttl=1h -> held 2
commit r3 -> committed 2
kill
get r1 -> held 5
usage teams/t/users/u calls -> lifetime used 5 held 5; day used 5 held 5
consume r2 teams/t/users/u calls 3 -> committed 3 replayed
commit r1 teams/t/users/u calls 4 -> committed 4
kill
restart
usage teams/t/users/u calls -> lifetime used 9 held 0; day used 9 held 0
usage . calls -> lifetime used 9 held 0
-- On request the answer waits for the ledger.
consume r4 teams/t/users/u calls 1 durable -> committed 1 durable

# X.06: nor does one whose journal is all in the ledger; what it counts then comes from there
clock 2040-04-01T09:00:00Z
consume r1 teams/t/users/u calls 3 -> committed 3
reserve r2 teams/t/users/u calls 2 ttl=1h -> held 2
consume r3 teams/t/users/u calls 1 durable -> committed 1 durable
kill
usage teams/t/users/u calls -> lifetime used 4 held 2; day used 4 held 2
usage . calls -> lifetime used 4 held 2
consume r1 teams/t/users/u calls 3 -> committed 3 replayed
reserve r4 teams/t/users/u calls 15 -> denied teams/t/users/u day HELD_BY_OTHERS limit 20 used 4 held 2 remaining 14
reserve r4 teams/t/users/u calls 14 -> held 14
restart
commit r2 -> committed 2
usage teams/t/users/u calls -> lifetime used 6 held 14; day used 6 held 14

# X.09: time is the server's; what counts as today follows its clock alone
clock 2040-05-01T23:59:59Z
consume - teams/t/users/u calls 20 -> committed 20
reserve - teams/t/users/u calls 1 -> denied day SPENT limit 20 used 20 resets 2040-05-02T00:00:00Z
clock 2040-05-02T00:00:00Z
reserve r1 teams/t/users/u calls 20 ttl=60s -> held 20 created 2040-05-02T00:00:00Z expires 2040-05-02T00:01:00Z
clock +59s
get r1 -> held 20
clock +1s
get r1 -> expired 0

# Tenants do not meet: the same names, other counters
consume r1 teams/t/users/u calls 20 -> committed 20
tenant other
get r1 -> error NOT_FOUND RESERVATION_NOT_FOUND
apply
    meters: [{name: calls, unit: call}]
usage teams/t/users/u calls -> lifetime used 0
reserve - tenants/acme/teams/t/users/u calls 1 -> error NOT_FOUND ACCOUNT_NOT_FOUND charges[0].account

# Allocation is given back by reservation or by amount, never more than is in use
consume r1 teams/t disk 100 -> committed 100
consume r2 teams/t disk 50 -> committed 50
free r1 -> freed 100
free r1 -> freed 0 replayed
free - teams/t disk 30 -> freed 30
usage teams/t disk -> lifetime used 20
free - teams/t disk 30 request=q1 -> freed 20
free - teams/t disk 30 request=q1 -> freed 20 replayed
usage teams/t disk -> lifetime used 0
usage . disk -> lifetime used 0

# Reservations are listed, by state if asked
reserve r1 teams/t/users/u calls 1 label.run=7 -> held 1 label run=7
reserve r2 teams/t/users/u calls 1 -> held 1
commit r2 -> committed 1
list states=HELD -> found r1
list states=COMMITTED -> found r2
