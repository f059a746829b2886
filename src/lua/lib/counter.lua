-- Counters: what one account has used and holds on one meter, all its windows in one value (the twin of
-- `domain/counter.rs`). Values are as `lib/value.lua` makes them, planned windows as the request has them.
--
-- Every window that is in the value is true: each change reaches all windows whose period contains the change's
-- effective time. A window that is not in the value says nothing; it is a miss that the ledger answers.

local counter = {}

do
  local floor_div, ceil_div, shift_figure = amount.floor_div, amount.ceil_div, amount.shift
  local STEPS = 60
  -- Changes that a loading value notes at most; then it begins anew.
  local MAX_NOTES = 256

  -- Whether a gauge stands for the planned period; every sliding window and rate does.
  local function same_period(window, plan)
    return window.kind ~= GAUGE_PERIOD or (window.start == plan[W_START] and window.stop == plan[W_STOP])
  end

  -- The gauge of a planned window, or nil. It usually stands at the window's own `place` in the plan.
  local function gauge(value, plan, place)
    local windows, id = value.windows, plan[W_ID]
    local window = place and windows[place]
    if window and window.id == id and same_period(window, plan) then
      return window
    end
    for number = 1, #windows do
      window = windows[number]
      if window.id == id and same_period(window, plan) then
        return window
      end
    end
    return nil
  end
  counter.gauge = gauge

  -- The gauge of a planned window with nothing in it.
  function counter.empty_gauge(plan, planned, now)
    local kind = plan[W_KIND]
    if kind == WINDOW_SLIDING then
      local step = math.max(plan[W_STEP], 1)
      return {id = plan[W_ID], kind = GAUGE_SLIDING, planned = planned, step = step, buckets = {}}
    elseif kind == WINDOW_RATE then
      local length = math.max(plan[W_STEP], 1)
      return {
        id = plan[W_ID], kind = GAUGE_RATE, planned = planned, length = length, limit = plan[W_LIMIT], backlog = 0, at = now,
      }
    end
    return {
      id = plan[W_ID], kind = GAUGE_PERIOD, planned = planned, start = plan[W_START], stop = plan[W_STOP], used = 0,
      held = 0,
    }
  end

  -- What is in a rate's bucket now. A limit that is lifted drains all of it at once.
  local function backlog(window, now)
    local elapsed = now - window.at
    if elapsed <= 0 then
      return window.backlog
    elseif window.limit < 0 then
      return 0
    end
    return math.max(window.backlog - elapsed * window.limit, 0)
  end

  -- What counts against the limit now: used, held. A rate has no held part.
  local function usage(window, now)
    if window.kind == GAUGE_PERIOD then
      return window.used, window.held
    elseif window.kind == GAUGE_SLIDING then
      local oldest = floor_div(now, window.step) - STEPS
      local used, held = 0, 0
      for _, bucket in ipairs(window.buckets) do
        if bucket[1] >= oldest then
          used, held = shift_figure(used, bucket[2]), shift_figure(held, bucket[3])
        end
      end
      return used, held
    end
    return ceil_div(backlog(window, now), window.length), 0
  end
  counter.usage = usage

  -- What a limit leaves: `limit - used - held`, below zero after an overrun or a lowered limit.
  local function remaining(window, limit, now)
    if limit > MAX then
      limit = MAX
    end
    if window.kind == GAUGE_RATE then
      return floor_div(limit * window.length - backlog(window, now), window.length)
    end
    local used, held = usage(window, now)
    return limit - used - held
  end
  counter.remaining = remaining

  -- Whether an open hold still needs a window.
  local function window_holds(window)
    if window.kind == GAUGE_PERIOD then
      return window.held > 0
    elseif window.kind == GAUGE_SLIDING then
      for _, bucket in ipairs(window.buckets) do
        if bucket[3] > 0 then
          return true
        end
      end
    end
    return false
  end

  -- Whether an open hold still needs the value.
  function counter.holds(value)
    if value.held > 0 then
      return true
    end
    for _, window in ipairs(value.windows) do
      if window_holds(window) then
        return true
      end
    end
    return false
  end

  -- The time from which everything must be known for a planned window to be known.
  function counter.begin(plan, now)
    local kind = plan[W_KIND]
    if kind == WINDOW_SLIDING then
      local step = math.max(plan[W_STEP], 1)
      return (floor_div(now, step) - STEPS) * step
    elseif kind == WINDOW_RATE then
      return now - plan[W_STEP]
    end
    return plan[W_START]
  end

  -- Another limit drains at another speed from now on: what drained until now did so at the old one.
  local function relimit(window, limit, now)
    window.backlog = backlog(window, now)
    window.limit, window.at = limit, now
  end

  -- Whether the window was planned without a break through a period before the planned one.
  local function continued(windows, plan)
    for _, window in ipairs(windows) do
      if
        window.kind == GAUGE_PERIOD
        and window.planned
        and window.id == plan[W_ID]
        and window.stop <= plan[W_START]
      then
        return true
      end
    end
    return false
  end

  -- Periods that have passed, and windows that are planned no longer, go as soon as nothing is held in them.
  local function prune(value, plans)
    local kept, changed = {}, false
    for _, window in ipairs(value.windows) do
      local planned = nil
      for _, plan in ipairs(plans) do
        if plan[W_ID] == window.id then
          planned = plan
          break
        end
      end
      local is_planned = planned ~= nil
      changed = changed or window.planned ~= is_planned
      window.planned = is_planned
      if (planned and same_period(window, planned)) or window_holds(window) then
        kept[#kept + 1] = window
      else
        changed = true
      end
    end
    value.windows = kept
    return changed
  end

  -- Rolls a value over to the planned periods, in place. Answers the numbers (from 1) of the planned windows that are
  -- missing, or nil, and whether the value changed. A new period starts at zero when the window was planned without a
  -- break through the one before, or when it began at or after `complete` (nil: never).
  function counter.roll(value, plans, complete, now)
    local missing, changed = nil, false
    local windows = value.windows
    value.settled = false
    for number = 1, #plans do
      local plan = plans[number]
      local window = gauge(value, plan, number)
      if window then
        if window.kind == GAUGE_RATE and window.limit ~= plan[W_LIMIT] then
          relimit(window, plan[W_LIMIT], now)
          changed = true
        end
      elseif continued(windows, plan) or (complete and counter.begin(plan, now) >= complete) then
        windows[#windows + 1] = counter.empty_gauge(plan, true, now)
        changed = true
      else
        missing = missing or {}
        missing[#missing + 1] = number
      end
    end
    if not missing then
      local count = #windows
      if count ~= #plans then
        return nil, prune(value, plans) or changed
      end
      -- The usual value has just what is planned, each once.
      for number = 1, count do
        local window, plan = windows[number], plans[number]
        if window.id ~= plan[W_ID] or not window.planned or not same_period(window, plan) then
          return nil, prune(value, plans) or changed
        end
      end
    end
    return missing, changed
  end

  local function shift_sliding(window, at, now, used, held)
    local index = floor_div(at, window.step)
    local oldest = floor_div(now, window.step) - STEPS
    local buckets = {}
    for _, bucket in ipairs(window.buckets) do
      if (bucket[1] >= oldest or bucket[3] > 0) and (bucket[2] > 0 or bucket[3] > 0) then
        buckets[#buckets + 1] = bucket
      end
    end
    window.buckets = buckets
    if index < oldest and held >= 0 then
      return false
    end
    local place = 1
    while buckets[place] and buckets[place][1] < index do
      place = place + 1
    end
    if not buckets[place] or buckets[place][1] ~= index then
      table.insert(buckets, place, {index, 0, 0})
    end
    local bucket, cut_used, cut_held = buckets[place], false, false
    bucket[2], cut_used = shift_figure(bucket[2], used)
    bucket[3], cut_held = shift_figure(bucket[3], held)
    return cut_used or cut_held
  end

  -- Adds a change that was effective at `at` to every window that contains that time, and to the top-up; `own` if the
  -- account itself was charged. What gives back a hold of a window that is not current may leave it to be dropped. Amounts are the whole and the top-up's part of it. Says whether a figure was cut.
  function counter.shift(value, at, now, used, used_top_up, held, held_top_up, own)
    local cut, more
    value.used, cut = shift_figure(value.used, used_top_up)
    value.held, more = shift_figure(value.held, held_top_up)
    cut = cut or more
    local used_period, held_period = used - used_top_up, held - held_top_up
    local windows = value.windows
    for place = 1, #windows do
      local window = windows[place]
      if held < 0 and not (window.planned and (window.kind ~= GAUGE_PERIOD or now < window.stop)) then
        value.settled = true
      end
      if window.kind == GAUGE_PERIOD then
        if window.start <= at and at < window.stop then
          window.used, more = shift_figure(window.used, used_period)
          cut = cut or more
          window.held, more = shift_figure(window.held, held_period)
          cut = cut or more
        end
      elseif window.kind == GAUGE_SLIDING then
        more = shift_sliding(window, at, now, used_period, held_period)
        cut = cut or more
      else
        window.backlog = shift_figure(backlog(window, now), (used_period + held_period) * window.length)
        window.at = math.max(now, window.at)
      end
    end
    if own then
      value.own, more = shift_figure(value.own, used)
      cut = cut or more
    end
    value.cut = value.cut or cut
    return cut
  end

  -- Notes a change on a value that is being loaded, with the number of the entry that will have it.
  function counter.note(value, seq, at, used, used_top_up, held, held_top_up, own)
    local loading = value.loading
    if #loading.notes >= MAX_NOTES then
      loading.since, loading.notes = seq, {}
      return
    end
    loading.notes[#loading.notes + 1] =
      {seq, at, used - used_top_up, used_top_up, held - held_top_up, held_top_up, own and 1 or 0}
  end

  -- A copy on which changes can be tried.
  function counter.copy(value)
    local windows = {}
    for number, window in ipairs(value.windows) do
      local copy = {}
      for name, figure in pairs(window) do
        copy[name] = figure
      end
      if window.buckets then
        copy.buckets = {}
        for place, bucket in ipairs(window.buckets) do
          copy.buckets[place] = {bucket[1], bucket[2], bucket[3]}
        end
      end
      windows[number] = copy
    end
    return {
      known = value.known, cut = value.cut, used = value.used, held = value.held, own = value.own, windows = windows,
      loading = false,
    }
  end

  -- What the enforced limits leave, the least over the planned windows; nil where nothing limits.
  function counter.rest(value, plans, now)
    local least = nil
    for place = 1, #plans do
      local plan = plans[place]
      if plan[W_ENFORCED] == 1 and plan[W_LIMIT] >= 0 then
        local window = gauge(value, plan, place)
        if window then
          local rest = remaining(window, plan[W_LIMIT], now)
          if not least or rest < least then
            least = rest
          end
        end
      end
    end
    return least
  end

  -- What a top-up of `limit` (-1: none) leaves.
  function counter.top_up_rest(value, limit)
    if limit > MAX then
      limit = MAX
    end
    local rest = limit - (value.used + value.held)
    return rest > 0 and rest or 0
  end
end
