-- Workspaces of cloud projects: an operator's catalogue with bounds.
catalog workspaces

# Two projects' workspaces "0" are two accounts
consume - workspaces/0 training.npu_minutes 1_000 -> committed 1_000, available 0
reserve - workspaces/0 training.npu_minutes 1 -> denied workspaces/0 SPENT limit 1_000
tenant project-b
consume - workspaces/0 training.npu_minutes 1_000 -> committed 1_000

# A limit lies within its meter's bounds
quota workspaces/0 training.npu_minutes lifetime=100_001 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime
quota workspaces/0 training.npu_minutes lifetime=0 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime
quota workspaces/0 training.npu_minutes lifetime=unlimited -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].limits.lifetime
quota workspaces/0 training.npu_minutes lifetime=100_000 -> applied 1

# The project's cap binds all its workspaces
tenant project-b
consume - workspaces/0 training.gpu_minutes 400_000 -> committed 400_000
reserve - workspaces/x training.gpu_minutes 100_001 -> denied . SPENT limit 500_000 remaining 100_000

# S2.05: both ends of the bounds are included, and unlimited is only where the meter allows it
set workspaces/w training.npu_minutes lifetime=0 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0].amount
set workspaces/w training.npu_minutes lifetime=100_001 -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0].amount
set workspaces/w training.npu_minutes lifetime=unlimited -> error INVALID_ARGUMENT INVALID_FIELD quotas[0].limits[0]
set workspaces/w training.npu_minutes lifetime=1 -> set 1
set workspaces/w training.npu_minutes lifetime=100_000 if=replace -> set 1
set workspaces/w training.gpu_minutes lifetime=unlimited -> set 1

# S2.12, S2.13: use counts while unlimited; a quota below it is taken, refuses new work and leaves running work alone
consume - workspaces/w training.gpu_minutes 700 -> committed 700
reserve job workspaces/w training.gpu_minutes 100 -> held 100
set workspaces/w training.gpu_minutes lifetime=500 -> set 1
usage workspaces/w training.gpu_minutes -> lifetime limit 500 used 700 held 100 remaining -200
reserve - workspaces/w training.gpu_minutes 1 -> denied workspaces/w SPENT limit 500 used 700
commit job -> committed 100
set workspaces/w training.gpu_minutes lifetime=801 if=replace -> set 1
reserve - workspaces/w training.gpu_minutes 1 -> held 1

# S2.15: a job holds an estimate and commits the minutes that it took
set workspaces/w training.cpu_minutes lifetime=100 -> set 1
reserve job workspaces/w training.cpu_minutes 60 -> held 60
commit job workspaces/w training.cpu_minutes 47 -> committed 47
usage workspaces/w training.cpu_minutes -> lifetime limit 100 used 47 held 0 remaining 53

# S2.18, S2.19: a new workspace has the defaults; what one does shows in no other
usage workspaces/new training.npu_minutes -> lifetime limit 1_000 used 0
usage workspaces/new training.gpu_minutes -> lifetime limit none used 0
set workspaces/one training.npu_minutes lifetime=7 -> set 1
consume - workspaces/one training.npu_minutes 5 -> committed 5
usage workspaces/new training.npu_minutes -> lifetime limit 1_000 used 0

# S2.21: limits of the full range are kept as they were set
set workspaces/w network.public_addresses lifetime=9_223_372_036_854_775_807 -> set 1
usage workspaces/w network.public_addresses -> lifetime limit 9_223_372_036_854_775_807
