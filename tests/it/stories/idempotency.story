-- Repeats: by reservation id and by request id; the same id with other contents; ends that end twice.
apply
    meters: [{name: runs, unit: run}, {name: disk, unit: byte, family: allocation}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 10}}]

# X.03: a repeated reserve gets the first answer with the reservation's present state
reserve r1 users/u runs 4 -> held 4, available 6
reserve r1 users/u runs 4 -> held 4 replayed, available 6
commit r1 users/u runs 3 -> committed 3
reserve r1 users/u runs 4 -> committed 3 replayed
usage users/u runs -> lifetime used 3 held 0
-- Another amount, account, item or time to live is another request; labels are not part of it.
reserve r2 users/u runs 1 ttl=60s label.a=b -> held 1
reserve r2 users/u runs 1 ttl=60s label.a=c -> held 1 replayed
reserve r2 users/u runs 2 ttl=60s -> error ALREADY_EXISTS REQUEST_ID_REUSED
reserve r2 users/v runs 1 ttl=60s -> error ALREADY_EXISTS REQUEST_ID_REUSED
reserve r2 users/u runs 1 ttl=60s item=x -> error ALREADY_EXISTS REQUEST_ID_REUSED
reserve r2 users/u runs 1 ttl=61s -> error ALREADY_EXISTS REQUEST_ID_REUSED
consume r2 users/u runs 1 -> error ALREADY_EXISTS REQUEST_ID_REUSED
usage users/u runs -> lifetime used 3 held 1
-- The order of the charges is not.
reserve r3 users/u runs 1 + users/v runs 2 -> held 1 2
reserve r3 users/v runs 2 + users/u runs 1 -> held 1 2 replayed

# X.03: request ids are one namespace over all calls
reserve r1 users/u runs 1 request=q1 -> held 1
reserve r1 users/u runs 1 request=q1 -> held 1 replayed
reserve r9 users/u runs 1 request=q1 -> error ALREADY_EXISTS REQUEST_ID_REUSED
commit r1 request=q1 -> error ALREADY_EXISTS REQUEST_ID_REUSED
get r1 -> held 1
-- The same reservation under another request id is a replay too.
reserve r1 users/u runs 1 request=q2 -> held 1 replayed
usage users/u runs -> lifetime held 1

# X.03: commit, release, extend, free and consume answer a repeat once more, without effect
reserve r1 users/u runs 4 -> held 4
commit r1 users/u runs 1 part request=c1 -> partly 1
commit r1 users/u runs 1 part request=c1 -> partly 1 replayed
commit r1 users/u runs 2 part request=c1 -> error ALREADY_EXISTS REQUEST_ID_REUSED
usage users/u runs -> lifetime used 1 held 3
extend r1 users/u runs 2 request=e1 -> partly 1, held 5
extend r1 users/u runs 2 request=e1 -> partly 1 replayed
usage users/u runs -> lifetime used 1 held 5
release r1 request=f1 -> released 1
release r1 request=f1 -> released 1 replayed
consume r2 users/u runs 3 request=u1 -> committed 3
consume r2 users/u runs 3 request=u1 -> committed 3 replayed
usage users/u runs -> lifetime used 4 held 0
consume r3 users/u disk 5 -> committed 5
free - users/u disk 2 request=d1 -> freed 2
free - users/u disk 2 request=d1 -> freed 2 replayed
usage users/u disk -> lifetime used 3

# X.03: a denial is remembered by its request id for two minutes, and burns no reservation id
consume a users/u runs 8 -> committed 8
reserve b users/u runs 5 request=q1 -> denied SPENT limit 10 used 8 requested 5
quota users/u runs lifetime=20 -> applied 1
reserve b users/u runs 5 request=q1 -> denied replayed SPENT limit 10 used 8 requested 5
reserve b users/u runs 5 request=q2 -> held 5
clock +121s
reserve c users/u runs 5 request=q1 -> held 5

# X.03: a call without ids is a call of its own each time
consume - users/u runs 1 -> committed 1
consume - users/u runs 1 -> committed 1
usage users/u runs -> lifetime used 2

# X.03: of repeats at once one counts; after a crash and much later too
race 20 consume once users/u runs 3 request=q -> granted 20 denied 0
usage users/u runs -> lifetime used 3
kill
race 20 consume once users/u runs 3 request=q -> granted 20 denied 0
usage users/u runs -> lifetime used 3
-- With everything in the ledger, it is the ledger that knows the ids after the start.
consume - users/v runs 1 durable -> committed 1 durable
kill
race 20 consume once users/u runs 3 request=q -> granted 20 denied 0
usage users/u runs -> lifetime used 3
-- Later than the outcomes are kept, the ledger knows, and undoes what the repeat counted.
clock +1d
consume once users/u runs 3 request=q -> committed 3
eventually usage users/u runs -> lifetime used 3

# X.05: commit twice, release twice, commit after release: defined, and without a second effect
reserve r1 users/u runs 4 -> held 4
commit r1 -> committed 4
commit r1 -> committed 4 replayed
commit r1 users/u runs 4 -> committed 4 replayed
commit r1 users/u runs 3 -> error FAILED_PRECONDITION RESERVATION_COMMITTED message "users/u runs = 4"
release r1 -> error FAILED_PRECONDITION RESERVATION_COMMITTED
reserve r2 users/u runs 2 -> held 2
release r2 -> released 0
release r2 -> released 0 replayed
commit r2 -> error FAILED_PRECONDITION RESERVATION_RELEASED
extend r2 ttl=60s -> error FAILED_PRECONDITION RESERVATION_RELEASED
usage users/u runs -> lifetime used 4 held 0
