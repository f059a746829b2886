-- install: puts in what the ledger answered to a miss: set, never added, only where a window is still missing of a
-- value that is still loading, completed by the changes that were noted after the ledger's answer (the twin of
-- `store/embedded/install.rs`).
--
-- Arguments: {11, tenant, 0, "", "", false, false, as_of, refills}; a refill is {tenant, number in `plans`, {top-up
-- used, own used}, holds {{create_time, held in the period, held in the top-up}, ...}, answers {{number of the window,
-- used in the period, steps {{index, used}, ...}}, ...}}. Reply: {13, how many}; an answer that is too old is dropped
-- and missed again. Example: {11, "", 0, "", "", false, false, 41, {{tenant, 1, {0, 5}, {}, {{1, 5, {}}}}}} -> {13, 1}

local install = {}

do
  -- Notes that the ledger's answer does not have.
  local function beyond(loading, as_of)
    local notes = {}
    for _, note in ipairs(loading.notes) do
      if note[1] > as_of then
        notes[#notes + 1] = note
      end
    end
    return notes
  end

  local function set_lifetime(present, lifetime, notes, holds)
    local used, own, held = lifetime[1], lifetime[2], 0
    for _, note in ipairs(notes) do
      used, held = used + note[4], held + note[6]
      if note[7] == 1 then
        own = own + note[3] + note[4]
      end
    end
    for _, hold in ipairs(holds) do
      held = held + hold[3]
    end
    present.used, present.held, present.own = amount.clamp(used), amount.clamp(held), amount.clamp(own)
    present.known = true
  end

  -- Used and held of the changes and holds from `start` on, before `stop`.
  local function within(start, stop, notes, holds)
    local used, held = 0, 0
    for _, note in ipairs(notes) do
      if note[2] >= start and note[2] < stop then
        used, held = used + note[3], held + note[5]
      end
    end
    for _, hold in ipairs(holds) do
      if hold[1] >= start and hold[1] < stop then
        held = held + hold[2]
      end
    end
    return used, held
  end

  local function fill_buckets(window, steps, notes, holds)
    local buckets, order = {}, {}
    local function add(index, used, held)
      local bucket = buckets[index]
      if not bucket then
        bucket = {index, 0, 0}
        buckets[index] = bucket
        order[#order + 1] = bucket
      end
      bucket[2], bucket[3] = bucket[2] + used, bucket[3] + held
    end
    for _, step in ipairs(steps) do
      add(step[1], step[2], 0)
    end
    for _, note in ipairs(notes) do
      add(amount.floor_div(note[2], window.step), note[3], note[5])
    end
    for _, hold in ipairs(holds) do
      add(amount.floor_div(hold[1], window.step), 0, hold[2])
    end
    table.sort(order, function(a, b)
      return a[1] < b[1]
    end)
    for _, bucket in ipairs(order) do
      bucket[2], bucket[3] = amount.clamp(bucket[2]), amount.clamp(bucket[3])
      if bucket[2] > 0 or bucket[3] > 0 then
        window.buckets[#window.buckets + 1] = bucket
      end
    end
  end

  local function gauge(plan, answer, notes, holds)
    local now = store.now
    -- A period that is over says nothing about the one that follows it.
    local window = counter.empty_gauge(plan, plan[W_START] <= now and now < plan[W_STOP], now)
    if window.kind == GAUGE_PERIOD then
      local used, held = within(window.start, window.stop, notes, holds)
      window.used, window.held = amount.clamp(answer[2] + used), amount.clamp(held)
    elseif window.kind == GAUGE_SLIDING then
      fill_buckets(window, answer[3], notes, holds)
    else
      -- What was let in during the last full drain time, as if it all came now: never too little.
      local used, held = within(now - window.length, MAX, notes, holds)
      local level = amount.clamp(answer[2] + used + held)
      if window.limit >= 0 then
        level = math.min(level, window.limit)
      end
      window.backlog = amount.clamp(level * window.length)
    end
    return window
  end

  local function install_one(refill, as_of)
    local bound = store.plans[refill[2]]
    local entry = store.counter(bound[B_KEY])
    local loading = entry and entry.value.loading
    if not loading or as_of < loading.since then
      return 0
    end
    local present, holds = entry.value, refill[4]
    local notes = beyond(loading, as_of)
    if not present.known then
      set_lifetime(present, refill[3], notes, holds)
    end
    for _, answer in ipairs(refill[5]) do
      local plan = bound[B_WINDOWS][answer[1]]
      if not counter.gauge(present, plan) then
        present.windows[#present.windows + 1] = gauge(plan, answer, notes, holds)
      end
    end
    present.loading, entry.rolled = false, false
    store.touch_counter(refill[1] ~= '' and refill[1] or nil, bound[B_KEY], entry)
    return 1
  end

  function install.run(operation)
    local count = 0
    for _, refill in ipairs(operation[9]) do
      count = count + install_one(refill, operation[8])
    end
    return {IS_DONE, count}
  end
end
