-- batch: runs a batch of operations on one partition, each deciding by itself, and writes what they changed at once.
--
-- KEYS: the partition's keys, in the order of README.md. ARGV[1]: the request, packed. Reply: packed, see README.md.
-- Example: {1, 3, -1, {1000, 1000, 1000}, {}, {{8, tenant, 0, "", "", false, false, key}}} -> {1, 0, 1700000000000, 42,
-- 40, 1, 2, 3, {{6, 2, -1, ""}}}

-- Deadlines that one call may end before its own work.
local REAP = 32

-- By number. Only those that a batch asks for are loaded (see README.md, "Order of the files").
local verbs = {
  look, reserve, commit, release, extend, free, free, get, expire, reverse, install, raise, trim, tidy, adjust,
}

local function run(operation)
  local verb = operation[O_VERB]
  if verb == VERB_FREE_AMOUNTS then
    return free.amounts(operation)
  end
  return verbs[verb].run(operation)
end

-- The version that a plan made under `version` lacks, if it is too old, else nil. A newer one is taken over.
local function stale(uid, version)
  local tenant = store.tenant(uid)
  local known = math.max(tenant[1], store.meta[M_FLOOR])
  if version < known then
    return known
  elseif version > tenant[1] then
    tenant[1] = version
    store.touch_tenant(uid)
  end
  return nil
end

-- What sends an operation back, or answers a repeat, before its verb is asked.
local function before_verb(operation)
  local plan, now = operation[O_PLAN], store.now
  if operation[O_VERB] == VERB_RESERVE and store.meta[M_SEQ] - store.meta[M_FLUSHED] >= store.caps[3] then
    return {IS_OVERLOADED}
  elseif deadlines.is_due() then
    return {IS_AGAIN}
  end
  local version = operation[O_VERSION] > 0 and stale(operation[O_TENANT], operation[O_VERSION])
  if version then
    return {IS_STALE, version}
  elseif plan and (now < plan[P_FROM] or now >= plan[P_TO]) then
    return {IS_REPLAN}
  end
  return ids.replay_request(operation)
end

local request = cmsgpack.unpack(ARGV[1])
local verify = guard.check(request[2])
if verify then
  return cmsgpack.pack(verify)
end
clock.set(request[3])
store.caps, store.plans = request[4], request[5]
ids.rotate()
store.prefetch(request[6])
expire.due(REAP)

local replies = {}
for place, operation in ipairs(request[6]) do
  local verb = operation[O_VERB]
  replies[place] = (verb <= VERB_GET or verb == VERB_ADJUST) and before_verb(operation) or run(operation)
end
store.write()

local meta = store.meta
return cmsgpack.pack({
  1, 0, store.now, meta[M_SEQ], meta[M_FLUSHED], meta[M_RESERVATIONS], meta[M_COUNTERS], meta[M_INCARNATION], replies,
})
