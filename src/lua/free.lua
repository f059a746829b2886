-- free: gives back committed use of allocation meters, by reservation (free.run) or by amount (free.amounts), never more than
-- is in use.
--
-- free.run: arguments from 8 on: key. Reply: {5, replayed, seq, record (packed), amounts}, a refusal, a miss, or {11, record
-- (packed)}. Example: {6, tenant, 0, "", fp, plan, false, key} -> {5, 0, 42, "\154...", {7}}
-- free.amounts: arguments from 8 on: charges (as in a record), static. Reply: {5, replayed, seq, "", amounts}, a refusal or a
-- miss. Example: {7, tenant, 7, request, fp, plan, false, {charge}, "\1..."} -> {5, 0, 43, "", {4}}

local free = {}

do
  -- Nothing to give back: refused, or a repeat.
  local function without_effect(before, seq, packed)
    local after, rule, third = settlement.free(before, function()
      return 0
    end)
    if not after then
      return settle.refused(rule, third)
    end
    return {IS_FREED, 1, seq, packed, third}
  end

  -- Free by reservation: what a Free by amount took from the same accounts meanwhile is not given back twice.
  function free.run(operation)
    local key = operation[8]
    local before, seq, packed = ids.find(key, operation)
    if not before then
      return seq
    elseif not settlement.occupies(before) then
      return without_effect(before, seq, packed)
    elseif not operation[O_PLAN] then
      return {IS_NEED_PLAN, packed}
    end
    local counters = settle.planned(operation[O_PLAN])
    local miss = settle.missing(operation, before, counters)
    if miss then
      return miss
    end
    local after, changes, third = settlement.free(before, function(index, made)
      return settle.left(before, counters, index, made)
    end)
    if not after then
      return settle.refused(changes, third)
    end
    seq, packed = settle.apply(before, after, changes, KIND_FREE, journal.stamp(operation, key))
    return {IS_FREED, 0, seq, packed, third}
  end

  -- Gives an amount back on every counter of a charge's path; answers the journal's line.
  local function give_back(operation, counters, index, charge, amount_back)
    local change = {index, -amount_back, 0, {}}
    for place, number in ipairs(operation[O_PLAN][P_PATHS][index]) do
      local key = counters[number][B_KEY]
      local part = math.min(store.counter(key).value.used, amount_back)
      change[D_PARTS][place] = {-part, 0}
      store.shift(operation[O_TENANT], key, store.now, -amount_back, -part, 0, 0, place == charge[C_CHAIN])
    end
    return journal.line(change, store.now)
  end

  -- Free by amount: clamped at what was charged to that very account, and alike on every level.
  function free.amounts(operation)
    local charges, plan = operation[8], operation[O_PLAN]
    if not plan then
      return settle.refused(RULE_NOT_FOUND)
    end
    for index, charge in ipairs(charges) do
      if charge[C_ALLOCATION] == 0 then
        return settle.refused(RULE_NOT_FREEABLE, index - 1)
      end
    end
    local present, miss = admission.force(operation, {})
    if not present then
      return miss
    end
    local counters, lines, amounts = settle.planned(plan), {}, {}
    for index, charge in ipairs(charges) do
      local back = math.min(math.max(charge[C_ASKED], 0), (settle.in_use(charges, counters, index, {})))
      amounts[index] = back
      if back > 0 then
        lines[#lines + 1] = give_back(operation, counters, index, charge, back)
      end
    end
    local stamp, seq = journal.stamp(operation, '', amounts), 0
    if stamp or #lines > 0 then
      seq = journal.record(KIND_FREE, operation[O_TENANT], stamp, '', false, lines, operation[9], charges)
    end
    return {IS_FREED, 0, seq, '', amounts}
  end
end
