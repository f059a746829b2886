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
