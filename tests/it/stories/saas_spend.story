-- A SaaS: organization, subtenants and users, each with up to three amounts.
clock 2040-03-05T09:00:00+01:00
catalog saas-spend acme

# S4.16, S4.19: a subtenant's quota restricts that subtenant and its users only; without subtenant it is the organization's
consume - subtenants/a/users/u1 ai.spend 5_000_000 -> committed 5_000_000
quota subtenants/a ai.spend month=8.00 -> applied 1
reserve - subtenants/a/users/u2 ai.spend 4_000_000 -> denied subtenants/a month SPENT limit 8_000_000 used 5_000_000 remaining 3_000_000
consume - subtenants/a/users/u2 ai.spend 3_000_000 -> committed 3_000_000
reserve - subtenants/a/users/u3 ai.spend 1 -> denied subtenants/a month SPENT
-- B and C go on.
consume - subtenants/b/users/u1 ai.spend 5_000_000 -> committed 5_000_000
consume - subtenants/c/users/u1 ai.spend 5_000_000 -> committed 5_000_000
usage . ai.spend -> day used 18_000_000; month used 18_000_000; year used 18_000_000
-- The organization's restricts them all.
quota . ai.spend day=18.00 month=2_000.00 year=20_000.00 -> applied 1
reserve - subtenants/c/users/u2 ai.spend 1 -> denied . day SPENT limit 18_000_000 used 18_000_000

# S4.17: a charge must fit user, subtenant and organization at once
quota . ai.spend day=6.00 -> applied 1
quota subtenants/b ai.spend month=4.00 -> applied 1
reserve - subtenants/b/users/u1 ai.spend 4_000_001 -> denied subtenants/b month SPENT remaining 4_000_000
reserve r1 subtenants/b/users/u1 ai.spend 4_000_000 -> held 4_000_000
reserve r2 subtenants/a/users/u1 ai.spend 2_000_001 -> denied . day HELD_BY_OTHERS remaining 2_000_000
reserve r2 subtenants/a/users/u1 ai.spend 2_000_000 -> held 2_000_000
reserve r3 subtenants/c/users/mo ai.spend 5_000_001 -> denied . day remaining 0; subtenants/c/users/mo day limit 5_000_000 remaining 5_000_000

# S4.18: one scope's quota is set, changed and removed without touching another's
consume - subtenants/a/users/u1 ai.spend 1_000_000 -> committed 1_000_000
quota subtenants/a ai.spend month=50.00 -> applied 1
usage subtenants/a ai.spend -> month limit 50_000_000 used 1_000_000
usage subtenants/c ai.spend -> year limit 1_000_000_000
usage . ai.spend -> day limit 100_000_000 used 1_000_000; month limit 2_000_000_000; year limit 20_000_000_000
quota . ai.spend month=500.00 -> applied 1
usage subtenants/a ai.spend -> month limit 50_000_000 used 1_000_000
apply prune
    time_zone: Europe/Amsterdam
    plan: business
    quotas:
      - {subject: tenants/acme, meter: ai.spend, limits: {month: "500.00"}}
      - {subject: tenants/acme/subtenants/c, meter: ai.spend, limits: {year: {amount: "1000.00", anchor: "04-01"}}}
usage subtenants/a ai.spend -> lifetime limit none used 1_000_000
usage subtenants/c ai.spend -> year limit 1_000_000_000
usage . ai.spend month -> month limit 500_000_000 used 1_000_000

# S4.20: with an organization's quota alone all are restricted by its total
apply prune
    time_zone: Europe/Amsterdam
    plan: business
    quotas: [{subject: tenants/acme, meter: ai.spend, limits: {month: "10.00"}}]
consume - subtenants/a/users/u1 ai.spend 4_000_000 -> committed 4_000_000
consume - subtenants/b/users/u1 ai.spend 4_000_000 -> committed 4_000_000
consume - users/direct ai.spend 2_000_000 -> committed 2_000_000
reserve - subtenants/c/users/u1 ai.spend 1 -> denied . month SPENT limit 10_000_000 used 10_000_000

# S4.21: a user's quota follows the same logic, with three periods
quota subtenants/a/users/u1 ai.spend day=1.00 month=2.00 year=3.00 -> applied 1
consume - subtenants/a/users/u1 ai.spend 1_000_000 -> committed 1_000_000
reserve - subtenants/a/users/u1 ai.spend 1 -> denied subtenants/a/users/u1 day SPENT resets 2040-03-06T00:00:00+01:00
clock 2040-03-06T09:00:00+01:00
consume - subtenants/a/users/u1 ai.spend 1_000_000 -> committed 1_000_000
clock 2040-03-07T09:00:00+01:00
reserve - subtenants/a/users/u1 ai.spend 1 -> denied subtenants/a/users/u1 month SPENT limit 2_000_000 used 2_000_000 resets 2040-04-01T00:00:00+02:00
clock 2040-04-07T09:00:00+02:00
consume - subtenants/a/users/u1 ai.spend 1_000_000 -> committed 1_000_000
clock 2040-05-07T09:00:00+02:00
reserve - subtenants/a/users/u1 ai.spend 1 -> denied subtenants/a/users/u1 year SPENT limit 3_000_000 used 3_000_000 resets 2041-01-01T00:00:00+01:00
usage subtenants/a/users/u1 ai.spend -> day limit 1_000_000 used 0; month limit 2_000_000 used 0; year limit 3_000_000 used 3_000_000
clock 2041-01-01T00:00:00+01:00
reserve - subtenants/a/users/u1 ai.spend 1_000_000 -> held 1_000_000

# S4.22: a quota above the one of the level above is no error, and without effect
clock 2040-03-05T09:00:00+01:00
catalog saas-spend acme
quota subtenants/a ai.spend day=9_999.00 -> applied 1
quota subtenants/a/users/u1 ai.spend day=99_999.00 -> applied 1
reserve - subtenants/a/users/u1 ai.spend 100_000_001 -> denied . day SPENT limit 100_000_000
consume - subtenants/a/users/u1 ai.spend 100_000_000 -> committed 100_000_000

# S4.23: the month ends at midnight of the tenant's zone, and what was reserved before belongs to the old one
clock 2040-03-31T23:59:00+02:00
quota subtenants/b ai.spend month=5.00 -> applied 1
reserve r1 subtenants/b/users/u1 ai.spend 5_000_000 ttl=10m -> held 5_000_000
clock 2040-04-01T00:00:00+02:00
usage subtenants/b ai.spend -> month used 0 held 0 starts 2040-04-01T00:00:00+02:00
commit r1 -> committed 5_000_000
usage subtenants/b ai.spend -> month used 0 held 0
usage . ai.spend -> day used 0; month used 0; year used 5_000_000

# S4.24: no quota at any level: not restricted, still counted and shown
clock 2040-04-02T09:00:00+02:00
apply prune
    time_zone: Europe/Amsterdam
    plan: business
apply
    meters: [{name: mails, unit: mail}]
consume - subtenants/a/users/u1 mails 1_000_000_000 -> committed 1_000_000_000
usage subtenants/a/users/u1 mails -> lifetime limit none used 1_000_000_000 state NORMAL origin none
usage . mails -> lifetime limit none used 1_000_000_000

# S4.25: a refusal names the level and the period that bind, least left first, what is left and when it resets
consume - subtenants/b/users/mia ai.spend 45_000_000 -> committed 45_000_000
reserve - subtenants/b/users/mia ai.spend 60_000_000 -> denied subtenants/b/users/mia day SPENT limit 50_000_000 used 45_000_000 remaining 5_000_000 resets 2040-03-06T00:00:00+01:00 advice "more than the whole limit of 50000000" message "5000000 left"; . day SPENT limit 100_000_000 used 45_000_000 remaining 55_000_000 resets 2040-03-06T00:00:00+01:00
check subtenants/a/users/u1 ai.spend 5_000_001 -> denied subtenants/a/users/u1 day SPENT remaining 5_000_000

# S4.26: lowered below what is running, it blocks until the period ends or the quota is raised
clock 2040-05-10T09:00:00+02:00
consume - subtenants/a/users/u1 ai.spend 4_000_000 -> committed 4_000_000
quota subtenants/a ai.spend month=3.00 -> applied 1
reserve - subtenants/a/users/u2 ai.spend 1 -> denied subtenants/a month SPENT limit 3_000_000 used 4_000_000 remaining -1_000_000
quota subtenants/a ai.spend month=6.00 -> applied 1
consume - subtenants/a/users/u2 ai.spend 2_000_000 -> committed 2_000_000
quota subtenants/a ai.spend month=3.00 -> applied 1
reserve - subtenants/a/users/u2 ai.spend 1 -> denied subtenants/a month limit 3_000_000 used 6_000_000
clock 2040-06-01T00:00:00+02:00
consume - subtenants/a/users/u2 ai.spend 3_000_000 -> committed 3_000_000

# The installation's default holds for a tenant without a plan; exactly half a euro, and all its users together
catalog saas-spend newcomer
usage . ai.spend -> day limit 500_000 origin INSTALLATION from tenants/- zone Europe/Berlin
consume - users/a ai.spend 300_000 -> committed 300_000
consume - users/b ai.spend 200_000 -> committed 200_000
reserve - users/c ai.spend 1 -> denied . day SPENT limit 500_000 used 500_000

# S4.04, S4.05: the default binds a tenant whose plan lacks the feature; it is seen, and can't be changed
catalog saas-spend newcomer
usage . ai.spend -> day limit 500_000 origin INSTALLATION from tenants/-
set . ai.spend day=1_000_000 -> error FAILED_PRECONDITION FEATURE_MISSING message "lacks the feature own_quotas"
set users/a ai.spend day=1_000 -> error FAILED_PRECONDITION FEATURE_MISSING message "the plan (none)"
unset . ai.spend -> error FAILED_PRECONDITION FEATURE_MISSING
consume - users/a ai.spend 500_000 -> committed 500_000
reserve - users/b ai.spend 1 -> denied . day SPENT limit 500_000 used 500_000

# S4.06: with the feature it has its own; without it again these rest, and are back with the next upgrade
catalog saas-spend newcomer
consume - users/a ai.spend 500_000 -> committed 500_000
apply
    plan: business
usage . ai.spend -> month limit 5_000_000_000 used 500_000 origin PLAN
reserve - users/b ai.spend 1_000_000 -> held 1_000_000
set . ai.spend day=2_000_000 month=40_000_000 -> set 1
set users/a ai.spend day=600_000 -> set 1
usage . ai.spend -> day limit 2_000_000 used 500_000 held 1_000_000; month limit 40_000_000
reserve - users/a ai.spend 100_001 -> denied users/a day SPENT limit 600_000
apply
    time_zone: Europe/Berlin
-- What is held already commits; what comes next is held to the default.
usage . ai.spend -> day limit 500_000 used 500_000 held 1_000_000 origin INSTALLATION
usage users/a ai.spend -> lifetime limit none used 500_000
reserve - users/a ai.spend 1 -> denied . day SPENT limit 500_000
set . ai.spend day=9_000_000 if=supersede -> error FAILED_PRECONDITION FEATURE_MISSING
apply
    plan: business
usage . ai.spend -> day limit 2_000_000; month limit 40_000_000
usage users/a ai.spend -> day limit 600_000 used 500_000 origin OWN

# S4.29: amounts far below a cent add up exactly, and half a euro is half a euro
catalog saas-spend newcomer
consume - users/a ai.spend 166_667 -> committed 166_667
consume - users/b ai.spend 166_667 -> committed 166_667
consume - users/c ai.spend 166_665 -> committed 166_665
consume - users/a ai.spend 1 -> committed 1
reserve - users/a ai.spend 1 -> denied . day SPENT limit 500_000 used 500_000
