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
