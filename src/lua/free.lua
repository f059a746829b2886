-- free: gives back committed use of allocation meters, by reservation (free.run) or by amount (free.amounts), never more than
-- is in use.
--
-- free.run: arguments from 8 on: key. Reply: {5, replayed, seq, record (packed), amounts}, a refusal, a miss, or {11, record
-- (packed)}. Example: {6, tenant, 0, "", fp, plan, false, key} -> {5, 0, 42, "\154...", {7}}
-- free.amounts: arguments from 8 on: charges (as in a record), static. Reply: {5, replayed, seq, "", amounts}, a refusal or a
-- miss. Example: {7, tenant, 7, request, fp, plan, false, {charge}, "\1..."} -> {5, 0, 43, "", {4}}

local free = {}

do
  -- What an account has in use on a counter, and what of it its own charges took.
  local function in_use(plan, entry)
    local used = entry.value.used
    for _, window in ipairs(plan[B_WINDOWS]) do
      if window[W_KIND] == WINDOW_LIFETIME then
        local gauge = counter.gauge(entry.value, window)
        used = used + (gauge and counter.usage(gauge, store.now) or 0)
        break
      end
    end
    return used, entry.value.own
  end

  -- What a charge may give back: the least of what was charged to the account itself and what each account of the path has
  -- in use, after what is `gone` already: from each level, and from the account's own charges.
  local function freeable(charge, counters, gone, own_gone)
    local least = MAX
    for place, level in ipairs(charge[C_LEVELS]) do
      local key = level[L_ACCOUNT] .. charge[C_METER]
      local plan, entry = settle.plan_of(counters, key), store.counter(key)
      if plan and entry then
        local used, own = in_use(plan, entry)
        least = math.min(least, math.max(used - (gone[place] or 0), 0))
        if place == charge[C_CHAIN] then
          least = math.min(least, math.max(own - own_gone, 0))
        end
      end
    end
    return least
  end

  -- Whether a figure of the charge's path was cut to its range: then it no longer says how much is left.
  local function is_cut(charge)
    for _, level in ipairs(charge[C_LEVELS]) do
      local entry = store.counter(level[L_ACCOUNT] .. charge[C_METER])
      if entry and entry.value.cut then
        return true
      end
    end
    return false
  end

  local function charged_account(charge)
    local level = charge[C_LEVELS][charge[C_CHAIN]]
    return level and level[L_ACCOUNT]
  end

  -- What a charge of a reservation may give back after the changes before it.
  local function left(before, counters, index, changes)
    local charge = before[R_CHARGES][index]
    if is_cut(charge) then
      return MAX
    end
    local gone, own_gone = {}, 0
    for _, change in ipairs(changes) do
      local other = before[R_CHARGES][change[D_CHARGE]]
      if other[C_METER] == charge[C_METER] then
        if charged_account(other) == charged_account(charge) then
          own_gone = own_gone - change[D_USED]
        end
        for place, level in ipairs(charge[C_LEVELS]) do
          if settle.on_path(other, level[L_ACCOUNT] .. charge[C_METER]) then
            gone[place] = (gone[place] or 0) - change[D_USED]
          end
        end
      end
    end
    return freeable(charge, counters, gone, own_gone)
  end

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
      return left(before, counters, index, made)
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
    local splits, miss = admission.force(operation)
    if not splits then
      return miss
    end
    local counters, lines, amounts = settle.planned(plan), {}, {}
    for index, charge in ipairs(charges) do
      local back = math.min(math.max(charge[C_ASKED], 0), freeable(charge, counters, {}, 0))
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
