-- Moving accounts: another name, another place, the same account behind it.

# S4.27: a user moves to another subtenant: past consumption stays there, the user's own counters go along
apply
    meters: [{name: tokens, unit: token}]
    quotas:
      - {subject: tenants/acme/subtenants/a, meter: tokens, limits: {lifetime: 100}}
      - {subject: tenants/acme/subtenants/b, meter: tokens, limits: {lifetime: 50}}
      - {subject: tenants/acme/subtenants/a/users/ann, meter: tokens, limits: {lifetime: 40, day: 35}}
consume r1 subtenants/a/users/ann tokens 30 -> committed 30
clock +1s
reserve r2 subtenants/a/users/ann tokens 2 -> held 2
clock +1s
move subtenants/a/users/ann subtenants/b/users/ann -> moved subtenants/b/users/ann
usage subtenants/a tokens -> lifetime used 30 held 2
usage subtenants/b tokens -> lifetime used 0 held 0
usage subtenants/b/users/ann tokens lifetime -> lifetime limit 40 used 30 held 2 origin OWN
usage . tokens -> lifetime used 30
-- Both names are hers: the old one, and whoever still says it, acts on the new one.
consume r3 subtenants/a/users/ann tokens 3 -> committed 3, subtenants/b/users/ann
usage subtenants/b tokens -> lifetime used 3
reserve - subtenants/b/users/ann tokens 1 -> denied subtenants/b/users/ann day HELD_BY_OTHERS used 33 held 2
usage subtenants/a/users/ann tokens lifetime -> lifetime used 33
-- What was held before the move is settled where it was held, under whichever name.
commit r2 subtenants/b/users/ann tokens 2 -> committed 2
usage subtenants/a tokens -> lifetime used 32 held 0
usage subtenants/b tokens -> lifetime used 3
list account=subtenants/b/users/ann -> found r3 r2 r1
-- A repeat finds her there, and so does her old name.
move subtenants/a/users/ann subtenants/b/users/ann -> moved subtenants/b/users/ann
-- Back again.
move subtenants/b/users/ann subtenants/a/users/ann -> moved subtenants/a/users/ann
free - subtenants/b/users/ann tokens 1 -> error FAILED_PRECONDITION NOT_FREEABLE
usage subtenants/a tokens -> lifetime used 32
usage subtenants/b tokens -> lifetime used 3
usage subtenants/a/users/ann tokens lifetime -> lifetime used 35

# S1.41: a repository becomes private: its bytes move in one step if the private bucket has room, and the namespace's stay
catalog storage-hub
clock 2040-05-01T10:00:00Z
consume u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 9_000_000_000 -> committed 9_000_000_000
consume u2 namespaces/bob/buckets/private/repos/model.n storage.bytes 1_000_000_001 -> committed 1_000_000_001
move namespaces/bob/buckets/public/repos/model.m namespaces/bob/buckets/private/repos/model.m -> denied namespaces/bob/buckets/private SPENT limit 10_000_000_000 used 1_000_000_001 remaining 8_999_999_999 requested 9_000_000_000
usage namespaces/bob/buckets/public storage.bytes -> lifetime used 9_000_000_000
-- Nothing changed, and nobody was kept out.
consume u3 namespaces/bob/buckets/public/repos/model.m storage.bytes 1 -> committed 1
free u3 -> freed 1
free - namespaces/bob/buckets/private/repos/model.n storage.bytes 1 -> freed 1
move namespaces/bob/buckets/public/repos/model.m namespaces/bob/buckets/private/repos/model.m -> moved namespaces/bob/buckets/private/repos/model.m
usage namespaces/bob/buckets/public storage.bytes -> lifetime used 0
usage namespaces/bob/buckets/private storage.bytes -> lifetime used 10_000_000_000 available 0
usage namespaces/bob storage.bytes -> lifetime used 10_000_000_000
-- What was stored before the move is freed where it is now, by reservation and by amount, under either name.
free u1 -> freed 9_000_000_000
usage namespaces/bob/buckets/public storage.bytes -> lifetime used 0
usage namespaces/bob/buckets/private storage.bytes -> lifetime used 1_000_000_000
consume u4 namespaces/bob/buckets/public/repos/model.m storage.bytes 7 -> committed 7
free - namespaces/bob/buckets/public/repos/model.m storage.bytes 9 -> freed 7
usage namespaces/bob/buckets/private storage.bytes -> lifetime used 1_000_000_000
usage namespaces/bob/buckets/public storage.bytes -> lifetime used 0

# S1.42: to another namespace: it must have room, the bytes move, the repository's quota is left behind
catalog storage-hub
set namespaces/bob storage.bytes lifetime=20_000_000_000 -> set 1
set namespaces/carol storage.bytes lifetime=6_000_000_000 -> set 1
set namespaces/bob/buckets/public/repos/model.m storage.bytes lifetime=6_000_000_000 -> set 1
consume u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 5_000_000_000 -> committed 5_000_000_000
consume u2 namespaces/carol/buckets/public/repos/model.x storage.bytes 2_000_000_000 -> committed 2_000_000_000
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m reset -> denied namespaces/carol SPENT limit 6_000_000_000 used 2_000_000_000
usage namespaces/bob storage.bytes -> lifetime used 5_000_000_000
free u2 -> freed 2_000_000_000
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m reset -> moved namespaces/carol/buckets/public/repos/model.m
usage namespaces/bob storage.bytes -> lifetime used 0
usage namespaces/bob/buckets/public storage.bytes -> lifetime used 0
usage namespaces/carol storage.bytes -> lifetime used 5_000_000_000
usage namespaces/carol/buckets/public storage.bytes -> lifetime used 5_000_000_000
usage namespaces/carol/buckets/public/repos/model.m storage.bytes -> lifetime limit none used 5_000_000_000
usage . storage.bytes -> lifetime used 5_000_000_000
-- A rename within the namespace keeps both, the use and the quota.
set namespaces/carol/buckets/public/repos/model.m storage.bytes lifetime=900_000_000 -> set 1
move namespaces/carol/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m2 -> moved namespaces/carol/buckets/public/repos/model.m2
usage namespaces/carol/buckets/public/repos/model.m2 storage.bytes -> lifetime limit 900_000_000 used 5_000_000_000 remaining -4_100_000_000 origin OWN
usage namespaces/carol storage.bytes -> lifetime used 5_000_000_000
free u1 -> freed 5_000_000_000
usage . storage.bytes -> lifetime used 0

# An allocation that is held, or may still change, keeps its account where it is
catalog storage-hub
reserve u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 5 -> held 5
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m -> error FAILED_PRECONDITION ALLOCATION_HELD
commit u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 5 part request=c1 -> partly 5
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m -> error FAILED_PRECONDITION ALLOCATION_HELD
commit u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 1 final -> committed 6 overrun
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/public/repos/model.m -> moved namespaces/carol/buckets/public/repos/model.m
usage namespaces/carol storage.bytes -> lifetime used 6

# A commit that comes after the deadline and after the move counts where the account is today
catalog storage-hub
clock 2040-06-01T10:00:00Z
reserve u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 5 ttl=10s -> held 5
clock +11s
move namespaces/bob/buckets/public/repos/model.m namespaces/carol/buckets/private/repos/model.m -> moved namespaces/carol/buckets/private/repos/model.m
commit u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 4 -> committed 4 late
usage namespaces/bob storage.bytes -> lifetime used 0
usage namespaces/carol/buckets/private storage.bytes -> lifetime used 4
usage namespaces/carol storage.bytes -> lifetime used 4
free u1 -> freed 4
usage namespaces/carol storage.bytes -> lifetime used 0

# What is below goes along, and so do moves below; names are nobody else's any more
catalog storage-hub
consume u1 namespaces/bob/buckets/public/repos/model.m storage.bytes 5 -> committed 5
move namespaces/bob/buckets/public/repos/model.m namespaces/bob/buckets/private/repos/model.p -> moved namespaces/bob/buckets/private/repos/model.p
move namespaces/bob namespaces/rob -> moved namespaces/rob
usage namespaces/rob/buckets/private/repos/model.p storage.bytes -> lifetime used 5
usage namespaces/bob/buckets/public/repos/model.m storage.bytes -> lifetime used 5
usage namespaces/rob/buckets/private storage.bytes -> lifetime limit 10_000_000_000 used 5
move namespaces/carol namespaces/bob -> error ALREADY_EXISTS ACCOUNT_EXISTS new_name
move namespaces/carol namespaces/alice -> error ALREADY_EXISTS ACCOUNT_EXISTS new_name
consume u2 namespaces/dan/buckets/public/repos/model.m storage.bytes 5 -> committed 5
move namespaces/carol namespaces/dan -> error ALREADY_EXISTS ACCOUNT_EXISTS new_name
move namespaces/carol namespaces/carol/buckets/x -> error INVALID_ARGUMENT INVALID_FIELD new_name
move . namespaces/carol -> error INVALID_ARGUMENT INVALID_FIELD account
set namespaces/bob storage.bytes lifetime=7 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].subject
free u1 -> freed 5
usage namespaces/rob storage.bytes -> lifetime used 0

# What counts on other accounts as well stays until it is freed: an account above both counts it once
catalog storage-hub
consume s1 namespaces/bob/buckets/public/repos/x storage.bytes 100 also=namespaces/bob/buckets/shared/repos/y -> committed 100
move namespaces/bob/buckets/shared/repos/y namespaces/eve/buckets/shared/repos/y -> error FAILED_PRECONDITION ALLOCATION_HELD message "together with other accounts"
move namespaces/bob/buckets/public/repos/x namespaces/eve/buckets/public/repos/x -> error FAILED_PRECONDITION ALLOCATION_HELD
usage namespaces/bob storage.bytes -> lifetime used 100
free s1 -> freed 100
move namespaces/bob/buckets/shared/repos/y namespaces/eve/buckets/shared/repos/y -> moved namespaces/eve/buckets/shared/repos/y
usage namespaces/bob storage.bytes -> lifetime used 0

# There must be room below the new name for every name below the old one
apply
    meters: [{name: tokens, unit: token}, {name: bytes, unit: byte, family: allocation}]
    quotas:
      - {subject: tenants/acme/a/b/c/d/e/f, meter: tokens, limits: {lifetime: 5}}
      - {subject: tenants/acme/top/z, meter: tokens, limits: {lifetime: 6}}
consume u1 a/p/c/d/e/f bytes 5 -> committed 5
move a/b top/z/l/1/m/2/n/3/o/4/q/b -> error INVALID_ARGUMENT INVALID_FIELD new_name message "leaves no room"
move a/p top/z/l/1/m/2/n/3/o/4/q/p -> error INVALID_ARGUMENT INVALID_FIELD new_name message "leaves no room"
-- A name that is too long there counts on the account itself, below the same limits.
move a/s top/z/l/1/m/2/n/3/o/4/q/s -> moved top/z/l/1/m/2/n/3/o/4/q/s
consume - a/s/c/d/e/f tokens 6 -> committed 6
reserve - a/s/c/d/e/f tokens 1 -> denied top/z SPENT limit 6

# Where accounts are registered, the one above the new name is too
apply
    account_policy: registered
    meters: [{name: tokens, unit: token}]
    accounts: [{name: tenants/acme/teams/a}, {name: tenants/acme/users/u}]
    pools: [{account: tenants/acme/pots/p, meters: [tokens]}]
move users/v teams/a/users/v -> error NOT_FOUND ACCOUNT_NOT_FOUND account
move users/u teams/b/users/u -> error NOT_FOUND ACCOUNT_NOT_FOUND new_name
move users/u teams/a/users/u -> moved teams/a/users/u
move teams/a/users/u pots/p/users/u -> moved pots/p/users/u
move users/u users/u -> moved users/u
