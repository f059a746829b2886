-- A hub: bytes in repositories, buckets and namespaces, given back when something is deleted.
catalog storage-hub

# Bytes count on every level of the chain and must fit every limit of it
reserve u1 namespaces/alice/buckets/public/repos/model.mymodel storage.bytes 10_737_418_240 -> held 10_737_418_240, available 0
commit u1 namespaces/alice/buckets/public/repos/model.mymodel storage.bytes 10_000_000_000 -> committed 10_000_000_000
usage namespaces/alice/buckets/public storage.bytes -> lifetime limit 53_687_091_200 used 10_000_000_000
usage namespaces/alice storage.bytes -> lifetime limit 107_374_182_400 used 10_000_000_000
reserve - namespaces/alice/buckets/public/repos/model.mymodel storage.bytes 1_000_000_000 -> denied namespaces/alice/buckets/public/repos/model.mymodel SPENT remaining 737_418_240
-- A dataset of the same name is another repository.
consume d1 namespaces/alice/buckets/public/repos/dataset.mymodel storage.bytes 1_000_000_000 -> committed 1_000_000_000

# What is deleted is free again, by reservation or by amount, never more than is there
consume u1 namespaces/bob/buckets/private/repos/model.m storage.bytes 9_000_000_000 -> committed 9_000_000_000
reserve - namespaces/bob/buckets/private/repos/model.n storage.bytes 1_000_000_001 -> denied namespaces/bob/buckets/private SPENT limit 10_000_000_000 remaining 1_000_000_000
free u1 -> freed 9_000_000_000
usage namespaces/bob storage.bytes -> lifetime used 0
consume u2 namespaces/bob/buckets/private/repos/model.n storage.bytes 10_000_000_000 -> committed 10_000_000_000
free - namespaces/bob/buckets/private/repos/model.n storage.bytes 11_000_000_000 -> freed 10_000_000_000
usage namespaces/bob/buckets/private storage.bytes -> lifetime used 0 available 10_000_000_000

# Lifted is not the same as nothing said
usage namespaces/acme-lab/buckets/private storage.bytes -> lifetime limit none origin OWN
usage namespaces/carol/buckets/private storage.bytes -> lifetime limit 10_000_000_000 origin TENANT

# S1.32, S1.33, S1.35: a repository's quota must not be above what its namespace has available, its old one put back first
set namespaces/acme-lab storage.bytes lifetime=60_000_000_000 -> set 1
consume u1 namespaces/acme-lab/buckets/private/repos/model.a storage.bytes 2_630_000_000 -> committed 2_630_000_000
set namespaces/acme-lab/buckets/private/repos/model.b storage.bytes lifetime=57_370_000_001 -> error FAILED_PRECONDITION LIMIT_ABOVE_PARENT quotas[0].limits message "57370000001 is above the 57370000000 that tenants/hub/namespaces/acme-lab has available"
usage namespaces/acme-lab/buckets/private/repos/model.b storage.bytes -> lifetime limit none
set namespaces/acme-lab/buckets/private/repos/model.b storage.bytes lifetime=57_370_000_000 -> set 1
set namespaces/acme-lab/buckets/private/repos/model.c storage.bytes lifetime=57_000_000_000 -> set 1
set namespaces/acme-lab/buckets/private/repos/model.b storage.bytes lifetime=114_740_000_000 if=replace -> set 1
set namespaces/acme-lab/buckets/private/repos/model.b storage.bytes lifetime=172_110_000_001 if=replace -> error FAILED_PRECONDITION LIMIT_ABOVE_PARENT quotas[0].limits
-- Where nothing is limited above, anything fits.
set namespaces/carol/buckets/other/repos/model.a storage.bytes lifetime=9_000_000_000_000 -> set 1

# S1.13, S1.36: a namespace's quota is lowered below what is used: its repositories' stay, all growth ends, shrinking goes on
set namespaces/bob storage.bytes lifetime=9_000_000_000 -> set 1
set namespaces/bob/buckets/private/repos/model.a storage.bytes lifetime=8_000_000_000 -> set 1
consume u1 namespaces/bob/buckets/private/repos/model.a storage.bytes 5_000_000_000 -> committed 5_000_000_000
set namespaces/bob storage.bytes lifetime=4_000_000_000 if=replace -> set 1
usage namespaces/bob storage.bytes -> lifetime limit 4_000_000_000 used 5_000_000_000 remaining -1_000_000_000 available 0
usage namespaces/bob/buckets/private/repos/model.a storage.bytes -> lifetime limit 8_000_000_000 remaining 3_000_000_000
reserve - namespaces/bob/buckets/private/repos/model.a storage.bytes 1 -> denied namespaces/bob SPENT
free - namespaces/bob/buckets/private/repos/model.a storage.bytes 2_000_000_000 -> freed 2_000_000_000
reserve - namespaces/bob/buckets/private/repos/model.a storage.bytes 1_000_000_000 -> held 1_000_000_000

# S1.34: without a quota of its own a repository inherits; 0 is a quota of nothing
set namespaces/alice/buckets/private/repos/model.z storage.bytes lifetime=0 -> set 1
reserve - namespaces/alice/buckets/private/repos/model.z storage.bytes 1 -> denied namespaces/alice/buckets/private/repos/model.z limit 0
unset namespaces/alice/buckets/private/repos/model.z storage.bytes -> unset
usage namespaces/alice/buckets/private/repos/model.z storage.bytes -> lifetime limit none
reserve - namespaces/alice/buckets/private/repos/model.z storage.bytes 1 -> held 1

# S1.14, S1.15: public and private are apart, and one write must fit the repository's, the bucket's and the namespace's
consume u1 namespaces/alice/buckets/private/repos/dataset.p storage.bytes 53_000_000_000 -> committed 53_000_000_000
usage namespaces/alice/buckets/public storage.bytes -> lifetime limit 53_687_091_200 used 0
reserve - namespaces/alice/buckets/private/repos/dataset.p storage.bytes 687_091_201 -> denied namespaces/alice/buckets/private SPENT remaining 687_091_200
consume u2 namespaces/alice/buckets/public/repos/dataset.p storage.bytes 53_687_091_200 -> committed 53_687_091_200
usage namespaces/alice storage.bytes -> lifetime limit 107_374_182_400 used 106_687_091_200

# S1.02, S1.39: an upload is held at its beginning, commits its true size, and an abort gives all back
reserve up namespaces/alice/buckets/public/repos/model.u storage.bytes 1_000_000_007 -> held 1_000_000_007
commit up namespaces/alice/buckets/public/repos/model.u storage.bytes 999_999_999 -> committed 999_999_999
usage namespaces/alice/buckets/public/repos/model.u storage.bytes -> lifetime used 999_999_999 held 0
reserve up2 namespaces/alice/buckets/public/repos/model.u storage.bytes 52_000_000_000 ttl=10m -> held 52_000_000_000
release up2 -> released 0
clock +1s
reserve up3 namespaces/alice/buckets/public/repos/model.u storage.bytes 52_000_000_000 ttl=10m -> held 52_000_000_000
clock +10m
usage namespaces/alice storage.bytes -> lifetime used 999_999_999 held 0
