-- raise: from now on nobody may decide a tenant ("": any tenant) by a catalog older than this version.
--
-- Arguments from 8 on: tenant or "", version. Reply: {13, 0}. Example:
--   {12, "", 0, "", "", false, false, tenant, 8} -> {13, 0}

local raise = {}

function raise.run(operation)
  local uid, version = operation[8], operation[9]
  if uid == '' then
    store.meta[M_FLOOR] = math.max(store.meta[M_FLOOR], version)
    store.dirty = true
  else
    local tenant = store.tenant(uid)
    tenant[1] = math.max(tenant[1], version)
    store.touch_tenant(uid)
  end
  return {IS_DONE, 0}
end
