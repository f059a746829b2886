-- Where the five systems' own texts contradict themselves or each other: what was decided, one story each.

# K1, K4: creations are counted for ever and only an adjustment gives one back; what runs at once is a meter of its own beside it
catalog ai-platform
apply
    meters: [{name: inference.running, unit: service, family: allocation}]
    quotas: [{subject: tenants/ai/users/-, meter: inference.running, limits: {lifetime: 1}}]
quota users/u1 inference.services lifetime=2 -> applied 1
consume s1 users/u1 inference.services 1 + users/u1 inference.running 1 -> committed 1 1
reserve - users/u1 inference.services 1 + users/u1 inference.running 1 -> denied users/u1 inference.running SPENT limit 1 used 1
free - users/u1 inference.services 1 -> error FAILED_PRECONDITION NOT_FREEABLE
free - users/u1 inference.running 1 -> freed 1
usage users/u1 inference.services -> lifetime limit 2 used 1
consume s2 users/u1 inference.services 1 + users/u1 inference.running 1 -> committed 1 1
free - users/u1 inference.running 1 -> freed 1
reserve - users/u1 inference.services 1 + users/u1 inference.running 1 -> denied users/u1 inference.services SPENT limit 2 used 2

# K2: a total below what is used is taken: the rest is negative, and what is available is 0
catalog ai-platform
consume - users/u2 training.runs 6 -> committed 6
set users/u2 training.runs lifetime=4 -> set 1
usage users/u2 training.runs -> lifetime limit 4 used 6 remaining -2 available 0

# K3: a member's own limit and the project's both bind
apply
    meters: [{name: runs, unit: run}]
    pools: [{account: tenants/acme/projects/p, meters: [runs], join: always, members: [tenants/acme/users/a, tenants/acme/users/b]}]
    quotas:
      - {subject: tenants/acme/projects/p, meter: runs, limits: {lifetime: 5}}
      - {subject: tenants/acme/users/a, meter: runs, limits: {lifetime: 3}}
reserve - users/a runs 4 -> denied users/a SPENT limit 3
consume - users/a runs 3 -> committed 3
reserve - users/b runs 3 -> denied projects/p SPENT limit 5 used 3
consume - users/b runs 2 -> committed 2

# K5: a namespace has three limits: over all, public and private
catalog storage-hub
usage namespaces/alice storage.bytes -> lifetime limit 107_374_182_400
usage namespaces/alice/buckets/public storage.bytes -> lifetime limit 53_687_091_200
usage namespaces/alice/buckets/private storage.bytes -> lifetime limit 53_687_091_200
consume - namespaces/alice/buckets/public/repos/a storage.bytes 53_687_091_200 -> committed 53_687_091_200
consume - namespaces/alice/buckets/private/repos/b storage.bytes 53_687_091_200 -> committed 53_687_091_200
reserve - namespaces/alice/buckets/private/repos/b storage.bytes 1 -> denied namespaces/alice SPENT limit 107_374_182_400; namespaces/alice/buckets/private SPENT limit 53_687_091_200

# K6: no limit is a value that is set, and lifts one that would hold; it is not the same as saying nothing
catalog storage-hub
usage namespaces/carol/buckets/private storage.bytes -> lifetime limit 10_000_000_000 origin TENANT
set namespaces/carol/buckets/private storage.bytes lifetime=unlimited -> set 1
usage namespaces/carol/buckets/private storage.bytes -> lifetime limit none origin OWN
unset namespaces/carol/buckets/private storage.bytes -> unset
usage namespaces/carol/buckets/private storage.bytes -> lifetime limit 10_000_000_000 origin TENANT

# K7: a repository's quota only narrows: it is not set above what is left above it, and later both bind
catalog storage-hub
set namespaces/bob storage.bytes lifetime=1_000 -> set 1
set namespaces/bob/buckets/public/repos/r storage.bytes lifetime=1_001 -> error FAILED_PRECONDITION LIMIT_ABOVE_PARENT quotas[0].limits
set namespaces/bob/buckets/public/repos/r storage.bytes lifetime=1_000 -> set 1
set namespaces/bob storage.bytes lifetime=500 if=replace -> set 1
reserve - namespaces/bob/buckets/public/repos/r storage.bytes 501 -> denied namespaces/bob SPENT limit 500
set namespaces/bob storage.bytes lifetime=5_000 if=replace -> set 1
reserve - namespaces/bob/buckets/public/repos/r storage.bytes 1_001 -> denied namespaces/bob/buckets/public/repos/r SPENT limit 1_000

# K12: what was set is what is shown
catalog workspaces
set workspaces/w training.gpu_minutes lifetime=10 -> set 1
usage workspaces/w training.gpu_minutes -> lifetime limit 10

# K13: a quota is positive or unlimited where the meter says so, whatever its lower bound; 0 is neither
catalog workspaces
set workspaces/w training.gpu_minutes lifetime=0 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0].amount
set workspaces/w training.gpu_minutes lifetime=unlimited -> set 1
set workspaces/w training.npu_minutes lifetime=unlimited -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0]

# K14: a name in a language is any text
apply -> applied 1
    meters: [{name: runs, display_names: {zh: Training runs, en: 训练}, unit_names: {zh: run}}]

# K15: a personal account is a pool of one; whether it is available is its state and its membership
apply
    meters: [{name: cost, default_policy: deny}]
    pools:
      - {account: tenants/acme/personal/staff, meters: [cost], members: [tenants/acme/users/staff]}
      - {account: tenants/acme/personal/student, meters: [cost], enabled: false, members: [tenants/acme/users/student]}
    quotas: [{subject: tenants/acme/personal/-, meter: cost, limits: {lifetime: 5}}]
switch users/staff personal/staff -> active personal/staff
consume - users/staff cost 5 -> committed 5
switch users/student personal/student -> error FAILED_PRECONDITION POOL_DISABLED pool
switch users/student personal/staff -> error PERMISSION_DENIED NOT_A_MEMBER pool
consume - users/student cost 1 also=personal/student -> denied personal/student POOL_DISABLED

# K16, K18: Friday 01:00 of the pool's own zone; nobody needs to log in, and the reset is there at the next look
clock 2040-03-01T16:59:59Z
catalog llm-pools
usage personal/ann llm.cost -> cron limit 50_000_000 used 0
consume - personal/ann llm.cost 1_000_000 -> committed 1_000_000
usage personal/ann llm.cost -> cron used 1_000_000 resets 2040-03-02T01:00:00+08:00
clock 2040-03-01T17:00:00Z
usage personal/ann llm.cost -> cron used 0 starts 2040-03-02T01:00:00+08:00

# K17: what runs already may overdraw, once; then nothing until the reset
catalog llm-pools
reserve c1 personal/ann llm.cost -> held 0
reserve c2 personal/ann llm.cost -> held 0
commit c1 personal/ann llm.cost 50_000_000 -> committed 50_000_000 overrun
reserve c3 personal/ann llm.cost -> denied personal/ann cron SPENT limit 50_000_000 used 50_000_000
commit c2 personal/ann llm.cost 3_000_000 -> committed 3_000_000 overrun
usage personal/ann llm.cost -> cron used 53_000_000 remaining -3_000_000 available 0

# K19: a subtenant's own quota never lifts the organization's
catalog saas-spend acme
set subtenants/b ai.spend day=9_999_000_000 -> set 1
quota subtenants/b/users/u ai.spend day=9_999.00 -> applied 1
reserve - subtenants/b/users/u ai.spend 100_000_001 -> denied . day SPENT limit 100_000_000

# K20: without the feature the default is seen and not changed
catalog saas-spend newcomer
usage . ai.spend -> day limit 500_000 origin INSTALLATION
set . ai.spend day=1 -> error FAILED_PRECONDITION FEATURE_MISSING

# K21: where the only quota is deleted, nothing restricts
catalog saas-spend acme
unset subtenants/a ai.spend -> unset
usage subtenants/a ai.spend -> lifetime limit none

# K23: a new quota closes the one before it of the same scope, and no other
catalog saas-spend acme
set subtenants/a ai.spend month=90_000_000 if=supersede -> set 2
usage subtenants/a ai.spend -> month limit 90_000_000
usage . ai.spend -> day limit 100_000_000; month limit 2_000_000_000; year limit 20_000_000_000
usage subtenants/c ai.spend -> year limit 1_000_000_000
