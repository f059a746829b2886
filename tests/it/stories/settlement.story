-- Parts, raises and ends: what a reservation goes through between its reserve and its end.
apply
    meters: [{name: runs, unit: run}, {name: disk, unit: byte, family: allocation}]
    quotas: [{subject: tenants/acme/users/-, meter: runs, limits: {lifetime: 10}}]

# X.01: parts add up, the rest stays held until the final commit
reserve r1 users/u runs 6 -> held 6
commit r1 users/u runs 2 part request=a -> partly 2, users/u runs held 4 recorded 2
commit r1 users/u runs 1 part request=b -> partly 3, held 3
commit r1 users/u runs 1 part -> error INVALID_ARGUMENT INVALID_FIELD request_id
commit r1 users/u runs 2 -> committed 5
usage users/u runs -> lifetime used 5 held 0

# X.05: a release after parts keeps what was recorded
reserve r1 users/u runs 6 -> held 6
commit r1 users/u runs 2 part request=a -> partly 2
release r1 -> released 2
commit r1 users/u runs 1 -> error FAILED_PRECONDITION RESERVATION_RELEASED
usage users/u runs -> lifetime used 2 held 0

# X.01: a hold can be raised as far as there is room, or not at all
reserve r1 users/u runs 6 -> held 6
extend r1 users/u runs 3 request=a -> held 9
extend r1 users/u runs 2 request=b -> denied users/u HELD_BY_OTHERS limit 10 held 9 requested 2
extend r1 users/u runs 1 -> error INVALID_ARGUMENT INVALID_FIELD request_id
get r1 -> held 9
commit r1 -> committed 9

# X.05: what is open is not freed, and allocation that is freed does not come back
reserve r1 users/u disk 5 -> held 5
free r1 -> error FAILED_PRECONDITION RESERVATION_OPEN
commit r1 -> committed 5
free r1 -> freed 5
free r1 -> freed 0 replayed
get r1 -> committed 5, users/u disk freed 5
usage users/u disk -> lifetime used 0
