-- A day in each of the five systems, from the catalog as it is deployed: who works, what they use, where they are stopped and how they go on.

# A day on the AI platform
clock 2040-03-05T08:00:00+08:00
catalog ai-platform
-- Morning: a trial user trains, a run fails to start, a service is created.
reserve t1 users/tia training.runs 1 -> held 1, available 2
commit t1 -> committed 1
reserve t2 users/tia training.runs 1 -> held 1
release t2 -> released
consume s1 users/tia inference.services 1 -> committed 1, available 0
reserve - users/tia inference.services 1 -> denied users/tia SPENT limit 1 advice "ask an administrator for more"
-- Vera and Rob share the project's sixty beside their own limits.
consume - users/vera training.runs 55 -> committed 55
reserve - users/rob training.runs 6 -> denied projects/robotics SPENT limit 60 used 55 remaining 5
consume - users/rob training.runs 5 -> committed 5
-- Noon: exports, of which one dies half-way; its hold comes back by itself.
reserve e1 users/tia export.jobs 1 ttl=10m -> held 1
reserve e2 users/tia export.jobs 1 ttl=2h -> held 1
clock 2040-03-05T12:30:00+08:00
get e1 -> expired 0
usage users/tia export.jobs -> lifetime used 0 held 0; day used 0 held 0
consume - users/tia export.jobs 20 -> committed 20
reserve - users/tia export.jobs 1 -> denied users/tia day SPENT limit 20 resets 2040-03-06T00:00:00+08:00
-- The administrator gives Tia more runs; a service that runs is gone at night, and what crashed was charged.
set users/tia training.runs lifetime=4 -> set 1
consume - users/tia training.runs 3 -> committed 3, available 0
reserve night users/vera inference.services 2 ttl=1h -> held 2
clock 2040-03-06T00:00:00+08:00
get night -> expired 2
usage users/vera inference.services -> lifetime limit 20 used 2
consume - users/tia export.jobs 1 -> committed 1
usage users/tia export.jobs -> lifetime limit 1_000 used 21; day limit 20 used 1

# A day on the hub
clock 2040-03-05T08:00:00Z
catalog storage-hub
-- A new organization fills its private bucket; an upload of unknown size is reserved by its estimate.
reserve u1 namespaces/dana/buckets/private/repos/model.base storage.bytes 6_000_000_000 -> held 6_000_000_000
commit u1 namespaces/dana/buckets/private/repos/model.base storage.bytes 5_400_000_000 -> committed 5_400_000_000
reserve u2 namespaces/dana/buckets/private/repos/dataset.raw storage.bytes 5_000_000_000 -> denied namespaces/dana/buckets/private SPENT remaining 4_600_000_000
reserve u2 namespaces/dana/buckets/public/repos/dataset.raw storage.bytes 5_000_000_000 -> held 5_000_000_000
-- The connection drops: the client comes again with the same id, and holds once.
reserve u2 namespaces/dana/buckets/public/repos/dataset.raw storage.bytes 5_000_000_000 -> held 5_000_000_000 replayed
commit u2 -> committed 5_000_000_000
-- Her administrator narrows one repository and caps the namespace; growth stops, deletion makes room.
set namespaces/dana storage.bytes lifetime=11_000_000_000 -> set 1
set namespaces/dana/buckets/public/repos/dataset.raw storage.bytes lifetime=600_000_001 -> error FAILED_PRECONDITION LIMIT_ABOVE_PARENT quotas[0].limits
reserve - namespaces/dana/buckets/public/repos/dataset.raw storage.bytes 600_000_001 -> denied namespaces/dana SPENT limit 11_000_000_000 used 10_400_000_000
free - namespaces/dana/buckets/private/repos/model.base storage.bytes 1_000_000_000 -> freed 1_000_000_000
reserve u3 namespaces/dana/buckets/public/repos/dataset.raw storage.bytes 600_000_001 -> held 600_000_001
release u3 -> released
free u2 -> freed 5_000_000_000
usage namespaces/dana storage.bytes -> lifetime limit 11_000_000_000 used 4_400_000_000

# A day of the workspaces
clock 2040-03-05T08:00:00Z
catalog workspaces project-a
-- The vision workspace has minutes by month and for ever; the default one what the installation gives.
reserve job workspaces/4f2c8a0e6b1d4c3f9a7e5d2b8c6f1a3e training.npu_minutes 1_500 ttl=10h -> held 1_500, available 500
reserve - workspaces/4f2c8a0e6b1d4c3f9a7e5d2b8c6f1a3e training.npu_minutes 501 -> denied workspaces/4f2c8a0e6b1d4c3f9a7e5d2b8c6f1a3e month HELD_BY_OTHERS remaining 500
consume - workspaces/0 training.npu_minutes 1_000 -> committed 1_000, available 0
-- The job ends sooner than was thought; two gigabytes and an address are taken and given back.
clock 2040-03-05T14:00:00Z
commit job workspaces/4f2c8a0e6b1d4c3f9a7e5d2b8c6f1a3e training.npu_minutes 360 -> committed 360
usage workspaces/4f2c8a0e6b1d4c3f9a7e5d2b8c6f1a3e training.npu_minutes -> lifetime limit 20_000 used 360; month limit 2_000 used 360 held 0
set workspaces/0 storage.volume_gb lifetime=2 -> set 1
consume vol workspaces/0 storage.volume_gb 2 + workspaces/0 network.public_addresses 1 -> committed 2 1
reserve - workspaces/0 storage.volume_gb 1 -> denied workspaces/0 storage.volume_gb SPENT limit 2
free vol -> freed 2 1
consume - workspaces/0 storage.volume_gb 1 -> committed 1
-- The operator raises the default one, within bounds only.
set workspaces/0 training.npu_minutes lifetime=100_001 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0].amount
set workspaces/0 training.npu_minutes lifetime=2_000 -> set 1
consume - workspaces/0 training.npu_minutes 500 -> committed 500, available 500

# A day at the university
clock 2040-03-01T09:00:00+08:00
catalog llm-pools
-- Liu pays from the students' pool, Ann from her own; each with the model's price, and tools by the call.
switch users/liu pools/students -> active pools/students
switch users/ann personal/ann -> active personal/ann
reserve c1 users/liu llm.cost item=gpt-4o-mini service=chat + users/liu llm.calls 1 -> held 0 1
commit c1 users/liu llm.cost item=gpt-4o-mini service=chat quantity.input=1_000_000 + users/liu llm.calls 1 -> committed 2_000_000 1, overrun
reserve c2 users/liu llm.cost item=opus service=chat -> denied pools/students NOT_PERMITTED
consume - users/liu llm.cost item=web-search service=chat quantity.call=3 -> committed 300_000
usage pools/students llm.cost -> cron limit 20_000_000_000 used 2_300_000
-- Ann overdraws her week with what runs already, is stopped, works on what is free, and takes the project's money.
reserve a1 users/ann llm.cost item=gpt-4o service=research -> held 0
commit a1 users/ann llm.cost item=gpt-4o service=research quantity.output=4_000_000 -> committed 64_000_000 overrun
reserve a2 users/ann llm.cost item=gpt-4o service=research -> denied personal/ann cron SPENT used 64_000_000 resets 2040-03-02T01:00:00+08:00
consume a3 users/ann llm.cost item=local service=chat quantity.output=1_000_000 -> committed 0, original 8.00 cost 0.00
switch users/ann pools/project-gene -> active pools/project-gene
consume - users/ann llm.cost item=gpt-4o service=chat quantity.output=1_000_000 -> committed 8_000_000
-- Friday, 01:00: debt and rest are gone.
clock 2040-03-02T01:00:00+08:00
switch users/ann personal/ann -> active personal/ann
consume - users/ann llm.cost item=gpt-4o-mini service=chat quantity.input=1_000_000 -> committed 2_000_000
usage personal/ann llm.cost -> cron used 2_000_000
usage pools/students llm.cost -> cron used 0

# A day of the tenants
clock 2040-03-05T09:00:00+01:00
catalog saas-spend newcomer
-- A newcomer has half a euro a day, all its users together, until it buys the plan.
consume - users/a ai.spend 500_000 -> committed 500_000
reserve - users/b ai.spend 1 -> denied . day SPENT limit 500_000 resets 2040-03-06T00:00:00+01:00
set . ai.spend day=1_000_000 -> error FAILED_PRECONDITION FEATURE_MISSING
-- Acme's day: five euros a user, a hundred for all; subtenant A is done before the others are.
tenant acme
consume - subtenants/a/users/u1 ai.spend 5_000_000 -> committed 5_000_000
reserve - subtenants/a/users/u1 ai.spend 1 -> denied subtenants/a/users/u1 day SPENT limit 5_000_000
set subtenants/a ai.spend month=7_000_000 if=supersede -> set 2
reserve late subtenants/a/users/u2 ai.spend 2_000_000 ttl=20h -> held 2_000_000
reserve - subtenants/a/users/u3 ai.spend 1 -> denied subtenants/a month HELD_BY_OTHERS
consume - subtenants/b/users/mia ai.spend 50_000_000 -> committed 50_000_000
reserve - subtenants/b/users/mia ai.spend 1 -> denied subtenants/b/users/mia day SPENT
usage . ai.spend -> day limit 100_000_000 used 55_000_000 held 2_000_000; month used 55_000_000; year used 55_000_000
-- What was held before midnight is yesterday's.
clock 2040-03-06T00:00:00+01:00
commit late -> committed 2_000_000
usage . ai.spend -> day used 0 held 0; month used 57_000_000; year used 57_000_000
consume - subtenants/b/users/mia ai.spend 1_000_000 -> committed 1_000_000
-- The earlier quota of subtenant A is wanted back.
unset subtenants/a ai.spend reopen -> unset 1
reserve - subtenants/a/users/u3 ai.spend 5_000_000 -> held 5_000_000
