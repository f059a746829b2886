-- extend: moves the deadline of a reservation, never earlier, and raises its holds by what is listed if that is admitted in
-- the periods of the Reserve; denied, neither changes.
--
-- Arguments from 8 on: key, ttl in milliseconds, listed. Reply: {4, replayed, seq, record (packed), denial (packed) or false},
-- a refusal, a miss, or {11, record (packed)}. An amount beyond 2^53-1 stands in the denial as 2^53. Example:
--   {5, tenant, 0, "", fp, false, false, key, 60000, {}} -> {4, 0, 42, "\154...", false}

local extend = {}

do
  -- The amounts that are listed, each at most the first that no limit lets in.
  local function amounts_of(matched)
    for _, item in ipairs(matched) do
      item[2] = math.min(math.max(item[2], 0), MAX + 1)
    end
    return matched
  end

  -- What is asked of a counter, and what the whole reservation holds there.
  local function asked_of(before, key, matched)
    local asked, held = 0, 0
    for _, item in ipairs(matched) do
      if settle.on_path(before[R_CHARGES][item[1]], key) then
        asked = math.min(asked + item[2], MAX + 1)
      end
    end
    for _, charge in ipairs(before[R_CHARGES]) do
      if settle.on_path(charge, key) then
        held = held + charge[C_HELD]
      end
    end
    return asked, held
  end

  -- Whether a hold taken at `at` still counts in the window's present period, or among the steps that still count.
  local function is_current(window, at)
    return settle.is_present(window) and (window[W_KIND] ~= WINDOW_SLIDING or at >= counter.begin(window, store.now))
  end

  -- The windows in which a raise is admitted, and whether one that has ended denies it. The share that one hold may take
  -- is of the whole hold.
  local function open_windows(before, plan, held)
    local open, ended = {}, false
    for _, window in ipairs(plan[B_WINDOWS]) do
      if is_current(window, before[R_CREATE_TIME]) then
        local own = {}
        for place, figure in ipairs(window) do
          own[place] = figure
        end
        if own[W_HOLD_CAP] >= 0 then
          own[W_HOLD_CAP] = math.max(own[W_HOLD_CAP] - held, 0)
        end
        open[#open + 1] = own
      else
        ended = ended or window[W_ENFORCED] == 1
      end
    end
    return open, ended
  end

  -- Admits a raise: by counter's key where the amount stands; or nil and the counters of the denial.
  local function admit(before, counters, matched)
    local splits, denied = {}, {}
    for _, plan in ipairs(counters) do
      local key = plan[B_KEY]
      local entry = store.counter(key)
      local asked, held = asked_of(before, key, matched)
      if entry and asked > 0 then
        local open, ended = open_windows(before, plan, held)
        if ended or admission.denies(entry.value, open, plan[B_TOP_UP], asked, false, store.now) then
          denied[#denied + 1] = {plan, store.packed_counter(entry), asked, 0}
        else
          splits[key] = admission.split(entry.value, open, plan[B_TOP_UP], asked, store.now)
        end
      end
    end
    if #denied > 0 then
      return nil, denied
    end
    return splits
  end

  -- Deals what was admitted to the listed charges in order, the period's part first.
  local function deal(before, splits, matched)
    local raised = {}
    for number, item in ipairs(matched) do
      local charge, top_up = before[R_CHARGES][item[1]], {}
      for level, frozen in ipairs(charge[C_LEVELS]) do
        local split = splits[frozen[L_ACCOUNT] .. charge[C_METER]]
        top_up[level] = 0
        if split then
          local period = math.min(split[1], item[2])
          split[1] = split[1] - period
          top_up[level] = item[2] - period
        end
      end
      raised[number] = {item[1], item[2], top_up}
    end
    return raised
  end

  -- What is to be raised, {} if nothing is listed; or nil and the reply to give instead.
  local function raise_hold(operation, before, seq, packed)
    local items = operation[10]
    if #items == 0 then
      return {}
    end
    local matched, rule, index = listed.matched(before, items)
    if not matched then
      return nil, settle.refused(rule, index)
    elseif not operation[O_PLAN] then
      return nil, {IS_NEED_PLAN, packed}
    end
    matched = amounts_of(matched)
    local counters = settle.planned(operation[O_PLAN])
    local miss = settle.missing(operation, before, counters)
    if miss then
      return nil, miss
    end
    local splits, denied = admit(before, counters, matched)
    if not splits then
      local denial = admission.denial('', denied, packed)
      ids.remember_denial(operation, denial)
      return nil, {IS_EXTENDED, 0, seq, packed, denial}
    end
    return deal(before, splits, matched)
  end

  function extend.run(operation)
    local key = operation[8]
    local before, seq, packed = ids.find(key, operation)
    if not before then
      return seq
    end
    -- The state is judged first, then the charges, then the limits.
    local rule = settlement.not_extendable(before)
    if rule then
      return settle.refused(rule, -1, packed)
    end
    local raised, reply = raise_hold(operation, before, seq, packed)
    if not raised then
      return reply
    end
    local after, changes = settlement.extend(before, store.now + operation[9], raised)
    seq, packed = settle.apply(before, after, changes, KIND_EXTEND, journal.stamp(operation, key))
    return {IS_EXTENDED, 0, seq, packed, false}
  end
end
