-- The AI data platform: training, inference, export and annotation, by user, plan and project.
catalog ai-platform

# S0.01, S0.28: four kinds of quota; each counts by itself and blocks nothing but its own feature
consume - users/u1 training.runs 3 -> committed 3, available 0
reserve - users/u1 training.runs 1 -> denied users/u1 training.runs lifetime SPENT limit 3 used 3 held 0 remaining 0 requested 1
usage users/u1 inference.services -> lifetime used 0
usage users/u1 export.jobs -> lifetime used 0 held 0; day used 0 held 0
usage users/u1 annotation.runs -> lifetime used 0
consume - users/u1 inference.services 1 -> committed 1
consume - users/u1 export.jobs 1 -> committed 1
consume - users/u1 annotation.runs 1 -> committed 1
usage users/u1 training.runs -> lifetime limit 3 used 3 held 0 remaining 0 state EXHAUSTED

# S0.02: a fifth kind is added while the server runs; no other counter notices
consume - users/u1 training.runs 2 -> committed 2
reserve - users/u1 review.hours 1 -> error NOT_FOUND METER_NOT_FOUND charges[0].meter
apply -> applied 2
    meters: [{name: review.hours, unit: hour}]
    quotas: [{subject: tenants/ai/users/-, meter: review.hours, limits: {lifetime: 5}}]
consume - users/u1 review.hours 5 -> committed 5, available 0
consume - users/u1 review.hours 1 -> denied users/u1 review.hours SPENT limit 5 used 5
usage users/u1 training.runs -> lifetime limit 3 used 2 remaining 1

# S0.04: a count takes whole numbers from 0; nothing is counted for anything else
reserve - users/u1 training.runs -1 -> error INVALID_ARGUMENT INVALID_FIELD charges[0].amount
consume - users/u1 training.runs -1 -> error INVALID_ARGUMENT INVALID_FIELD charges[0].amount
check users/u1 training.runs -1 + users/u1 export.jobs -2 -> error INVALID_ARGUMENT INVALID_FIELD charges[0].amount charges[1].amount
reserve - users/u1 training.runs 0 -> error INVALID_ARGUMENT INVALID_FIELD charges[0].amount
reserve - users/u1 training.runs -> error INVALID_ARGUMENT INVALID_FIELD charges[0].amount
quota users/u1 training.runs lifetime=1.5 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime
usage users/u1 training.runs -> lifetime limit 3 used 0 held 0

# S0.06: lowered below what is used, the rest is negative and what is available is 0; without a limit both are unknown
consume - users/u2 training.runs 6 -> committed 6
quota users/u2 training.runs lifetime=4 -> applied 1
usage users/u2 training.runs -> lifetime limit 4 used 6 remaining -2 available 0 percent 150.0 state EXHAUSTED
quota users/u2 training.runs lifetime=unlimited -> applied 1
usage users/u2 training.runs -> lifetime limit none used 6 remaining none available none percent none state NORMAL

# S0.12: the state is EXHAUSTED when nothing remains, LOW above 80 percent and not at it, else NORMAL
usage users/u2 training.runs -> lifetime limit 10 used 0 state NORMAL
consume - users/u2 training.runs 8 -> committed 8
usage users/u2 training.runs -> lifetime used 8 percent 80.0 state NORMAL
consume - users/u2 training.runs 1 -> committed 1
usage users/u2 training.runs -> lifetime used 9 percent 90.0 state LOW
consume - users/u2 training.runs 1 -> committed 1
usage users/u2 training.runs -> lifetime used 10 percent 100.0 state EXHAUSTED
quota users/u3 training.runs lifetime=0 -> applied 1
usage users/u3 training.runs -> lifetime limit 0 used 0 remaining 0 percent none state EXHAUSTED
quota users/u4 training.runs lifetime=unlimited -> applied 1
usage users/u4 training.runs -> lifetime limit none state NORMAL
-- The threshold is the meter's own.
apply -> applied 2
    meters: [{name: tight.runs, warn_percent: 50}]
    quotas: [{subject: tenants/ai/users/u1, meter: tight.runs, limits: {lifetime: 10}}]
consume - users/u1 tight.runs 5 -> committed 5
usage users/u1 tight.runs -> lifetime state NORMAL
consume - users/u1 tight.runs 1 -> committed 1
usage users/u1 tight.runs -> lifetime state LOW

# S0.13: what is held counts for checks and states, and is shown apart from what is used
reserve r1 users/u2 training.runs 10 -> held 10, available 0
usage users/u2 training.runs -> lifetime limit 10 used 0 held 10 remaining 10 available 0 state EXHAUSTED
check users/u2 training.runs 1 -> denied users/u2 HELD_BY_OTHERS limit 10 used 0 held 10 remaining 0 requested 1
release r1 -> released
usage users/u2 training.runs -> lifetime used 0 held 0 available 10 state NORMAL
check users/u2 training.runs 10 -> granted . training.runs lifetime limit none; users/u2 training.runs lifetime limit 10 used 0 held 0 remaining 10

# S0.14, S0.16: the default applies to everybody and says so; a quota of one's own wins, also when lower, 0 or unlimited
usage users/anyone training.runs -> lifetime limit 10 origin TENANT from users/-
usage users/u1 training.runs -> lifetime limit 3 origin OWN from users/u1
quota users/zero training.runs lifetime=0 -> applied 1
usage users/zero training.runs -> lifetime limit 0 origin OWN state EXHAUSTED
check users/zero training.runs 1 -> denied users/zero SPENT limit 0 used 0 held 0 remaining 0
quota users/free training.runs lifetime=unlimited -> applied 1
usage users/free training.runs -> lifetime limit none origin OWN
consume - users/free training.runs 1_000_000 -> committed 1_000_000

# S0.15: the default is a limit for each user with a counter of its own, no shared pot
consume - users/a training.runs 10 -> committed 10, available 0
consume - users/b training.runs 10 -> committed 10, available 0
consume - users/c training.runs 4 -> committed 4, available 6

# S0.17: a changed default acts at once on all without a quota of their own, and what is used stays
consume - users/a training.runs 6 -> committed 6, available 4
consume - users/u1 training.runs 1 -> committed 1, available 2
quota users/- training.runs lifetime=5 -> applied 1
usage users/a training.runs -> lifetime limit 5 used 6 remaining -1 available 0
usage users/u1 training.runs -> lifetime limit 3 used 1 remaining 2 origin OWN
check users/a training.runs 1 -> denied users/a SPENT limit 5 used 6 held 0 remaining -1
quota users/- training.runs lifetime=20 -> applied 1
usage users/a training.runs -> lifetime limit 20 used 6 remaining 14

# S0.18: without its own quota a user falls back to the default, without that to none; what is used is kept
apply prune
    quotas:
      - {subject: tenants/ai/users/-, meter: training.runs, limits: {lifetime: 10}}
      - {subject: tenants/ai/users/u1, meter: training.runs, limits: {lifetime: 3}}
consume - users/u1 training.runs 2 -> committed 2, available 1
apply prune -> applied 1, DELETE quota
    quotas:
      - {subject: tenants/ai/users/-, meter: training.runs, limits: {lifetime: 10}}
usage users/u1 training.runs -> lifetime limit 10 used 2 remaining 8 origin TENANT
apply prune -> applied 1, DELETE quota
    quotas: []
usage users/u1 training.runs -> lifetime limit none used 2 origin none
consume - users/u1 training.runs 100 -> committed 100

# S0.19: neither own nor default means not limited, unless the meter denies then
consume - users/u1 annotation.runs 1_000_000 -> committed 1_000_000, available none
usage users/u1 annotation.runs -> lifetime limit none used 1_000_000 state NORMAL origin none
apply -> applied 1
    meters: [{name: strict.runs, default_policy: deny}]
reserve - users/u1 strict.runs 1 -> denied strict.runs NO_QUOTA limit none requested 1 advice "ask an administrator for a quota"
quota users/u1 strict.runs lifetime=1 -> applied 1
reserve - users/u1 strict.runs 1 -> held 1

# S0.20, S0.21: a new total never changes what is used; below it, use stops; above it, the difference is free again
consume - users/u2 training.runs 5 -> committed 5
reserve running users/u2 training.runs 3 -> held 3, available 2
quota users/u2 training.runs lifetime=4 -> applied 1
usage users/u2 training.runs -> lifetime limit 4 used 5 held 3 remaining -1 available 0
reserve - users/u2 training.runs 1 -> denied users/u2 SPENT limit 4 used 5 held 3 remaining -4
-- What was granted before still commits.
commit running -> committed 3
usage users/u2 training.runs -> lifetime limit 4 used 8 held 0 remaining -4
quota users/u2 training.runs lifetime=11 -> applied 1
reserve - users/u2 training.runs 4 -> denied users/u2 SPENT limit 11 used 8 remaining 3
reserve - users/u2 training.runs 3 -> held 3, available 0

# S0.29: a refusal says which kind and whose limit, what was asked, what is left, and what to do
consume - users/u1 training.runs 2 -> committed 2
reserve r users/u1 training.runs 2 -> denied users/u1 training.runs lifetime SPENT limit 3 used 2 held 0 remaining 1 requested 2 advice "ask an administrator for more" message "training.runs: the lifetime limit of 3 for tenants/ai/users/u1 stands in the way (2 used, 0 held, 1 left, 2 requested)"
-- The level above refuses in its own name.
quota . training.runs lifetime=4 -> applied 1
consume - users/u2 training.runs 2 -> committed 2
reserve r users/u2 training.runs 1 -> denied . training.runs SPENT limit 4 used 4 remaining 0 requested 1

# S0.30: no partial grant; exactly the rest fits
reserve r1 users/u1 training.runs 5 -> denied users/u1 SPENT limit 3 used 0 held 0 remaining 3 requested 5
usage users/u1 training.runs -> lifetime used 0 held 0
reserve r1 users/u1 training.runs 3 -> held 3, available 0

# S0.31: a training run is charged when it is created; if it could not be created, nothing is
reserve t1 users/u1 training.runs 1 -> held 1, available 2
commit t1 -> committed 1
reserve t2 users/u1 training.runs 1 -> held 1, available 1
release t2 -> released 0
usage users/u1 training.runs -> lifetime used 1 held 0
-- Silence: the run may exist, so the hold is charged.
reserve t3 users/u1 training.runs 1 ttl=30s -> held 1
clock +31s
get t3 -> expired 1
usage users/u1 training.runs -> lifetime used 2 held 0

# S0.32, S0.37: what was charged at creation does not come back when the thing is deleted
consume s1 users/u1 inference.services 1 -> committed 1
consume t1 users/u1 training.runs 1 -> committed 1
release s1 -> error FAILED_PRECONDITION RESERVATION_COMMITTED
release t1 -> error FAILED_PRECONDITION RESERVATION_COMMITTED
free s1 -> error FAILED_PRECONDITION NOT_FREEABLE
free t1 -> error FAILED_PRECONDITION NOT_FREEABLE
free - users/u1 training.runs 1 -> error FAILED_PRECONDITION NOT_FREEABLE
usage users/u1 inference.services -> lifetime used 1
usage users/u1 training.runs -> lifetime used 1

# S0.33, S0.34: exports and annotations are charged when they succeed; failure and silence give the hold back
reserve e1 users/u1 export.jobs 1 -> held 1, available 19
commit e1 -> committed 1
reserve e2 users/u1 export.jobs 1 -> held 1, available 18
release e2 -> released 0
reserve e3 users/u1 export.jobs 1 ttl=30s -> held 1
reserve a1 users/u1 annotation.runs 1 ttl=30s -> held 1
reserve a2 users/u1 annotation.runs 1 ttl=30s -> held 1
commit a2 -> committed 1
clock +31s
get e3 -> expired 0
get a1 -> expired 0
usage users/u1 export.jobs -> lifetime used 1 held 0; day used 1 held 0
usage users/u1 annotation.runs -> lifetime used 1 held 0

# S0.35: of two exports with one unit left only one starts; its failure frees the unit at once
quota users/u5 export.jobs lifetime=1 -> applied 1
reserve e1 users/u5 export.jobs 1 -> held 1, available 0
reserve e2 users/u5 export.jobs 1 -> denied users/u5 lifetime HELD_BY_OTHERS limit 1 used 0 held 1 remaining 0
release e1 -> released
reserve e2 users/u5 export.jobs 1 -> held 1
race 20 reserve - users/u5 export.jobs 1 -> granted 0 denied 20

# S0.39: plans; one's own quota is stronger, the default weaker; another plan acts at once and what is used is kept
usage users/vera training.runs -> lifetime limit 100 origin PLAN from plans/vip
usage users/vera inference.services -> lifetime limit 20
usage users/rob training.runs -> lifetime limit 10 origin PLAN from plans/regular
usage users/rob inference.services -> lifetime limit 2
usage users/tia training.runs -> lifetime limit 3 origin PLAN from plans/trial
usage users/tia inference.services -> lifetime limit 1
consume - users/tia training.runs 3 -> committed 3, available 0
apply -> applied 1
    accounts: [{name: tenants/ai/users/tia, display_name: Tia, plan: regular}]
usage users/tia training.runs -> lifetime limit 10 used 3 remaining 7 from plans/regular
consume - users/tia training.runs 7 -> committed 7, available 0
quota users/tia training.runs lifetime=11 -> applied 1
usage users/tia training.runs -> lifetime limit 11 used 10 origin OWN

# S0.40: a project's limit is one pot for its members; the member's own limit and the project's both bind
quota projects/vision training.runs lifetime=12 -> applied 1
consume - users/a training.runs 10 also=projects/vision -> committed 10, available 0
reserve - users/a training.runs 1 also=projects/vision -> denied users/a SPENT limit 10 used 10
reserve - users/b training.runs 3 also=projects/vision -> denied projects/vision SPENT limit 12 used 10 remaining 2
consume - users/b training.runs 2 also=projects/vision -> committed 2, available 8
reserve - users/c training.runs 11 also=projects/vision -> denied projects/vision limit 12 remaining 0; users/c limit 10 remaining 10
usage projects/vision training.runs -> lifetime limit 12 used 12
usage users/a training.runs -> lifetime used 10
usage users/b training.runs -> lifetime used 2
-- Without the project only the member is charged.
consume - users/b training.runs 1 -> committed 1
usage projects/vision training.runs -> lifetime used 12

# S0.45: no period: what is used up stays used up next month, and next year
clock 2040-02-01T00:00:00Z
consume - users/u2 training.runs 10 -> committed 10, available 0
clock 2040-03-01T00:00:00Z
reserve - users/u2 training.runs 1 -> denied users/u2 lifetime SPENT limit 10 used 10 resets none
clock 2041-06-01T00:00:00Z
reserve - users/u2 training.runs 1 -> denied users/u2 lifetime SPENT limit 10 used 10 resets none
