-- What the verbs share that settle a reservation: asking what its counters and limits are, and writing what an operation
-- made of it (the twin of `settle` and `keep` in `store/embedded/partition.rs`, `missing` and `room` in its `settle.rs`).

local settle = {}

do
  -- A refusal by a rule, with the index (from 0) of what it is about, and the record (packed) where the rule tells it.
  function settle.refused(rule, index, packed)
    return {IS_REFUSED, rule, index or -1, rule == RULE_COMMITTED and packed or ''}
  end

  -- Whether a charge counts on a counter.
  function settle.on_path(charge, key)
    local meter = charge[C_METER]
    for _, level in ipairs(charge[C_LEVELS]) do
      if level[L_ACCOUNT] .. meter == key then
        return true
      end
    end
    return false
  end

  -- Whether the reservation still holds on a counter: then the periods of its Reserve are kept there.
  function settle.holds_on(record, key)
    for _, charge in ipairs(record[R_CHARGES]) do
      if charge[C_HELD] > 0 and settle.on_path(charge, key) then
        return true
      end
    end
    return false
  end

  -- The planned counters of an operation, or none, in the plan's order.
  function settle.planned(plan)
    local counters = {}
    for number, place in ipairs(plan and plan[P_COUNTERS] or {}) do
      counters[number] = store.plans[place]
    end
    return counters
  end

  -- The planned counter of that key, or nil.
  function settle.plan_of(counters, key)
    for _, plan in ipairs(counters) do
      if plan[B_KEY] == key then
        return plan
      end
    end
    return nil
  end

  -- Whether a planned window is one of the present: its period has not ended.
  function settle.is_present(window)
    return window[W_START] <= store.now and store.now < window[W_STOP]
  end

  local function lacking(record, plan, entry)
    local missing = {}
    local holds_there = entry and settle.holds_on(record, plan[B_KEY])
    for number, window in ipairs(plan[B_WINDOWS]) do
      local kept = not entry or holds_there or settle.is_present(window)
      if kept and not (entry and counter.gauge(entry.value, window)) then
        missing[#missing + 1] = number
      end
    end
    return missing
  end

  -- The miss of an operation's plan for settled periods, or nil. One that has ended is kept while the reservation holds on
  -- the counter.
  function settle.missing(operation, record, counters)
    local missed = {}
    for number, plan in ipairs(counters) do
      local entry = store.counter(plan[B_KEY])
      local missing = lacking(record, plan, entry)
      local unknown = entry and plan[B_TOP_UP] >= 0 and not entry.value.known
      if not entry or unknown or #missing > 0 then
        missed[#missed + 1] = {number, missing}
      end
    end
    return #missed > 0 and admission.miss(operation, missed) or nil
  end

  -- Tries changes of the record on a copy of a counter's value: a sliding window and a rate do not give back one for one.
  local function tried(record, key, value, changes)
    local copy = counter.copy(value)
    for _, change in ipairs(changes) do
      local charge = record[R_CHARGES][change[D_CHARGE]]
      for place, level in ipairs(charge[C_LEVELS]) do
        if level[L_ACCOUNT] .. charge[C_METER] == key then
          local parts = change[D_PARTS][place]
          counter.shift(copy, record[R_CREATE_TIME], store.now, change[D_USED], parts[1], change[D_HELD], parts[2], false)
        end
      end
    end
    return copy
  end

  -- What the limits leave for a commit above its hold on one level of a charge's path, after the changes that the commit
  -- already makes: the rest (nil: nothing limits, or the period is kept no longer) and the top-up's rest.
  function settle.room(record, counters, index, place, changes)
    local charge = record[R_CHARGES][index]
    local level = charge[C_LEVELS][place]
    local key = level[L_ACCOUNT] .. charge[C_METER]
    local plan, entry = settle.plan_of(counters, key), store.counter(key)
    if not plan or not entry then
      return nil, 0
    end
    local holds_there, kept = settle.holds_on(record, key), {}
    for _, window in ipairs(plan[B_WINDOWS]) do
      if holds_there or settle.is_present(window) then
        kept[#kept + 1] = window
      end
    end
    local copy = tried(record, key, entry.value, changes)
    -- A top-up takes part where the account had one at the Reserve: then, and only then, every commit asks for it.
    local top_up = level[L_TOP_UP] == 1 and counter.top_up_rest(copy, plan[B_TOP_UP]) or 0
    return counter.rest(copy, kept, store.now), top_up
  end

  -- What there is in use on a planned counter: in the period, in the top-up, and what the account's own charges took; after
  -- changes of `charges` that are not written yet.
  local function used_on(plan, entry, charges, charge, level, changes)
    local period, top_up, own = 0, entry.value.used, entry.value.own
    for _, window in ipairs(plan[B_WINDOWS]) do
      if window[W_KIND] == WINDOW_LIFETIME then
        local gauge = counter.gauge(entry.value, window)
        period = gauge and counter.usage(gauge, store.now) or 0
        break
      end
    end
    local account = charge[C_LEVELS][charge[C_CHAIN]][L_ACCOUNT]
    for _, change in ipairs(changes) do
      local other = charges[change[D_CHARGE]]
      if other[C_METER] == charge[C_METER] then
        for place, theirs in ipairs(other[C_LEVELS]) do
          if theirs[L_ACCOUNT] == level[L_ACCOUNT] then
            local part = change[D_PARTS][place][1]
            top_up = top_up + part
            period = period + change[D_USED] - part
          end
        end
        if other[C_LEVELS][other[C_CHAIN]][L_ACCOUNT] == account then
          own = own + change[D_USED]
        end
      end
    end
    return period, top_up, own
  end

  -- What a charge may give back: the least of what was charged to the account itself and what each account of its path has
  -- in use; and by level what the period and the top-up have.
  function settle.in_use(charges, counters, index, changes)
    local charge, least, there = charges[index], MAX, {}
    for place, level in ipairs(charge[C_LEVELS]) do
      local key = level[L_ACCOUNT] .. charge[C_METER]
      local plan, entry = settle.plan_of(counters, key), store.counter(key)
      if plan and entry then
        local period, top_up, own = used_on(plan, entry, charges, charge, level, changes)
        least = math.min(least, period + top_up, place == charge[C_CHAIN] and own or MAX)
        there[place] = {math.max(period, 0), math.max(top_up, 0)}
      else
        there[place] = {MAX, 0}
      end
    end
    return math.max(least, 0), there
  end

  -- The same of a reservation's charge. A figure that was cut to its range no longer says how much is left.
  function settle.left(record, counters, index, changes)
    local charge = record[R_CHARGES][index]
    for _, level in ipairs(charge[C_LEVELS]) do
      local entry = store.counter(level[L_ACCOUNT] .. charge[C_METER])
      if entry and entry.value.cut then
        return MAX, nil
      end
    end
    return settle.in_use(record[R_CHARGES], counters, index, changes)
  end

  -- Stores the new state where it belongs: among the open ones, or only as an outcome.
  local function keep(before, after, packed, seq)
    local key = after[R_KEY]
    if settlement.is_open(after) then
      if after[R_EXPIRE_TIME] ~= before[R_EXPIRE_TIME] then
        deadlines.insert(after[R_EXPIRE_TIME], key)
      end
      store.put_reservation(after, packed)
      return
    end
    local open = store.reservation(key)
    -- What is undone may have had its id from one that is open now.
    if open and open[R_CREATE_TIME] == before[R_CREATE_TIME] then
      store.drop_reservation(key)
      store.count_open(after[R_TENANT], -1)
    end
    ids.remember_end(after, seq)
  end

  -- Writes what an operation made of a reservation: counters, journal, the new state. `stamp` is the request's, or false.
  -- Answers the entry's number and the record packed.
  function settle.apply(before, after, changes, kind, stamp)
    local lines = admission.apply(after, changes)
    if stamp then
      ids.add_request(after, stamp[1])
    end
    local packed = cmsgpack.pack(after)
    local seq = journal.record(kind, before[R_TENANT], stamp, packed, settlement.is_open(after), lines)
    keep(before, after, packed, seq)
    return seq, packed
  end
end
