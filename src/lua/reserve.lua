-- reserve: Reserve and Consume; holds, or records at once, on every planned counter or on none.
--
-- Arguments from 8 on: record (unpacked; times, splits and state are made here), ttl in milliseconds, consume (0, 1),
-- fresh (0, 1), values wanted (0, 1), barred ("": nothing), granted (a time, or -1), tentative (0, 1).
-- Reply: {1, replayed, seq, record, values or false}, {3, replayed, denial}, a refusal or a miss. Values are those that it was decided
-- on. A tentative denial is not remembered: another operation follows it. Example:
--   {2, tenant, 7, "", fp, plan, false, record, 60000, 0, 1, 0, "", -1, 0} -> {1, 0, 42, "\154...", false}

local reserve = {}

do
  -- The bound that a new reservation of this tenant would break; a Consume leaves nothing open.
  local function capped(operation, consume)
    local tenant, caps = store.tenant(operation[O_TENANT]), store.caps
    if tenant[2] >= caps[1] and consume == 0 then
      return RULE_CAP_OPEN
    elseif tenant[3] >= caps[2] then
      return RULE_CAP_COUNTERS
    end
    return nil
  end

  -- Writes what was granted without the store, as of then, whether it fits or not.
  local function force(operation, record, ttl, consume, granted)
    local parts, miss = admission.force(operation, record[R_CHARGES])
    if not parts then
      return miss
    end
    local at = math.min(granted, store.now)
    record[R_CREATE_TIME], record[R_EXPIRE_TIME] = at, at + ttl
    local changes = admission.deal(record, operation[O_PLAN], parts, consume == 1)
    local kind = consume == 1 and KIND_CONSUME or KIND_RESERVE
    local seq, packed = admission.enter(operation, record, changes, kind)
    return {IS_RESERVATION, 0, seq, packed, false}
  end

  function reserve.run(operation)
    local record, ttl, consume, fresh = operation[8], operation[9], operation[10], operation[11]
    local replay = ids.replay_reservation(operation, record, fresh)
    if replay then
      return replay
    elseif not operation[O_PLAN] then
      return {IS_REFUSED, RULE_NOT_FOUND, -1, ''}
    end
    if operation[14] >= 0 then
      return force(operation, record, ttl, consume, operation[14])
    end
    local cap = capped(operation, consume)
    if cap then
      return {IS_REFUSED, cap, -1, ''}
    end
    local ready, miss = admission.ready(operation)
    if not ready then
      return miss
    end
    local parts, denial = admission.decide(operation, ready, operation[13])
    if not parts then
      if operation[15] == 0 then
        ids.remember_denial(operation, denial)
      end
      return {IS_DENIED, 0, denial}
    end
    local values = operation[12] == 1 and admission.values(ready)
    record[R_CREATE_TIME], record[R_EXPIRE_TIME] = store.now, store.now + ttl
    local changes = admission.deal(record, operation[O_PLAN], parts, consume == 1)
    admission.insert(operation, ready)
    local kind = consume == 1 and KIND_CONSUME or KIND_RESERVE
    local seq, packed = admission.enter(operation, record, changes, kind)
    return {IS_RESERVATION, 0, seq, packed, values}
  end
end
