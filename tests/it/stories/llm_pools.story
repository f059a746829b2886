-- A university's pools: weekly money that is restored by the clock on the wall, spent afterwards, with a top-up.
-- Friday 2 March 2040, 01:00 in Shanghai, is Thursday 17:00 UTC.

# S3.14: each pool has a refresh time of its own
clock 2040-03-01T10:00:00Z
catalog llm-pools
usage personal/ann llm.cost -> cron limit 50_000_000 starts 2040-02-24T01:00:00+08:00 resets 2040-03-02T01:00:00+08:00 zone Asia/Shanghai unit CNY decimals 6
apply
    quotas: [{subject: tenants/uni/pools/daily, meter: llm.cost, limits: {cron: {amount: "5.00", cron: "30 4 * * *", zone: Europe/Berlin}}}]
usage pools/daily llm.cost -> cron starts 2040-03-01T04:30:00+01:00 resets 2040-03-02T04:30:00+01:00

# S3.16: a reset restores the regular amount: the unused rest is lost, debt is forgiven, the top-up is kept
clock 2040-03-01T10:00:00Z
catalog llm-pools
consume - personal/ann llm.cost 20_000_000 -> committed 20_000_000, available 30_000_000
-- Bea overdraws.
reserve c1 personal/bea llm.cost -> held 0
commit c1 personal/bea llm.cost 70_000_000 -> committed 70_000_000 overrun
usage personal/bea llm.cost -> cron remaining -20_000_000 state EXHAUSTED
-- The project spends its week and 100 of its top-up.
consume - pools/project-gene llm.cost 600_000_000 -> committed 600_000_000
usage pools/project-gene llm.cost -> week used 500_000_000 remaining 0 top_up 1_400_000_000
clock 2040-03-02T01:00:00+08:00
usage personal/ann llm.cost -> cron used 0 remaining 50_000_000
usage personal/bea llm.cost -> cron used 0 remaining 50_000_000 state NORMAL
usage pools/project-gene llm.cost -> week used 0 remaining 500_000_000 top_up 1_400_000_000

# S3.17: resets missed while the service was down are one reset; a commit at the very instant belongs to the new week
clock 2040-03-01T10:00:00Z
catalog llm-pools
consume - personal/ann llm.cost 50_000_000 -> committed 50_000_000
kill
clock 2040-03-23T10:00:00Z
usage personal/ann llm.cost -> cron used 0 remaining 50_000_000 starts 2040-03-23T01:00:00+08:00 resets 2040-03-30T01:00:00+08:00
consume - personal/ann llm.cost 1_000_000 -> committed 1_000_000
clock 2040-03-30T01:00:00+08:00
consume - personal/ann llm.cost 2_000_000 -> committed 2_000_000
usage personal/ann llm.cost -> cron used 2_000_000 starts 2040-03-30T01:00:00+08:00

# S3.18: a hold that is open at a reset is settled in the week in which it was taken
clock 2040-03-02T00:59:00+08:00
catalog llm-pools
reserve c1 personal/ann llm.cost 30_000_000 ttl=10m -> held 30_000_000
clock 2040-03-02T01:00:00+08:00
usage personal/ann llm.cost -> cron used 0 held 0 remaining 50_000_000
commit c1 personal/ann llm.cost 60_000_000 -> committed 60_000_000 overrun
usage personal/ann llm.cost -> cron used 0 held 0 remaining 50_000_000
-- A charge without a reservation lands in the week of its commit.
consume - personal/ann llm.cost 1_000_000 -> committed 1_000_000
usage personal/ann llm.cost -> cron used 1_000_000
-- The old period can't be raised any more.
clock 2040-03-09T00:59:00+08:00
reserve c2 personal/ann llm.cost 1_000_000 ttl=10m -> held 1_000_000
clock 2040-03-09T01:00:00+08:00
extend c2 personal/ann llm.cost 1_000_000 request=e1 -> denied personal/ann PERIOD_ENDED requested 1_000_000

# S3.25: a balance above zero admits; the true cost is charged in full, and then there is nothing until the reset
clock 2040-03-05T10:00:00Z
catalog llm-pools
consume - personal/ann llm.cost 49_999_999 -> committed 49_999_999, available 1
check personal/ann llm.cost -> granted
reserve c1 personal/ann llm.cost -> held 0
reserve c2 personal/ann llm.cost 0 -> held 0
commit c1 personal/ann llm.cost 3_000_000 -> committed 3_000_000 overrun
usage personal/ann llm.cost -> cron used 52_999_999 remaining -2_999_999 available 0 state EXHAUSTED
reserve c3 personal/ann llm.cost -> denied personal/ann cron SPENT limit 50_000_000 used 52_999_999 remaining -2_999_999 requested 0 resets 2040-03-09T01:00:00+08:00
-- The conversation that was running is recorded too.
commit c2 personal/ann llm.cost 1_000_000 -> committed 1_000_000 overrun
clock 2040-03-09T01:00:00+08:00
reserve c3 personal/ann llm.cost -> held 0

# S3.25: with an estimate it is held; regular first, then the top-up, then the week goes below zero
clock 2040-03-05T10:00:00Z
catalog llm-pools
reserve c1 personal/ann llm.cost 50_000_000 -> held 50_000_000, available 0
reserve c2 personal/ann llm.cost 1 -> denied personal/ann HELD_BY_OTHERS
release c1 -> released
consume - pools/project-gene llm.cost 400_000_000 -> committed 400_000_000
usage pools/project-gene llm.cost -> week used 400_000_000 top_up 1_500_000_000
consume - pools/project-gene llm.cost 1_600_000_000 -> committed 1_600_000_000
usage pools/project-gene llm.cost -> week used 500_000_000 remaining 0 top_up 0
reserve c3 pools/project-gene llm.cost -> denied pools/project-gene week SPENT
apply
    quotas: [{subject: tenants/uni/pools/project-gene, meter: llm.cost, limits: {week: {amount: "500.00", anchor: "FRI 01:00"}}, top_up: "1500.01"}]
reserve c3 pools/project-gene llm.cost -> held 0
commit c3 pools/project-gene llm.cost 15_000 -> committed 15_000 overrun
usage pools/project-gene llm.cost -> week used 500_005_000 remaining -5_000 top_up 0

# Without a pool's quota nothing is given; one conversation may hold a hundredth of the students' pool
catalog llm-pools
reserve c1 users/nobody llm.cost 1 -> denied NO_QUOTA
reserve c2 pools/students llm.cost 200_000_001 -> denied HOLD_SHARE limit 20_000_000_000
reserve c3 pools/students llm.cost 200_000_000 -> held 200_000_000

# S3.32: a regular amount that is edited in mid-week: what is used stays, and the balance follows
clock 2040-03-01T10:00:00Z
catalog llm-pools
consume - personal/ann llm.cost 20_000_000 -> committed 20_000_000, available 30_000_000
apply
    quotas: [{subject: tenants/uni/personal/ann, meter: llm.cost, limits: {cron: {amount: "80.00", cron: "0 1 * * FRI", zone: Asia/Shanghai}}}]
usage personal/ann llm.cost -> cron limit 80_000_000 used 20_000_000 remaining 60_000_000
apply
    quotas: [{subject: tenants/uni/personal/ann, meter: llm.cost, limits: {cron: {amount: "15.00", cron: "0 1 * * FRI", zone: Asia/Shanghai}}}]
usage personal/ann llm.cost -> cron limit 15_000_000 used 20_000_000 remaining -5_000_000 state EXHAUSTED
reserve - personal/ann llm.cost -> denied personal/ann cron SPENT
