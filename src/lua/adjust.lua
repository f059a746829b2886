-- adjust: corrects what was used, on the whole path of each line, all lines or none; what is held stays (the twin of
-- `domain/adjustment.rs` and of `store/embedded/adjust.rs`).
--
-- Arguments from 8 on: charges (as in a record), static, moves {{effective or -1, kind (0: by the figure, 1: to the figure,
-- which was measured), figure, expected or -1}, ...}, between (0, 1: what an account has in use moves from those above it to
-- others: no line has the charged account on its path, what goes goes, what comes must fit). Reply: {5, replayed, seq, "", {what was
-- charged to the account of each line before and after, ...}}, {3, replayed, denial}, a refusal or a miss. Example:
--   {15, tenant, 7, request, fp, plan, false, {charge}, "\1...", {{-1, 0, -4, -1}}, 0} -> {5, 0, 43, "", {9, 5}}

local adjust = {}

do
  local STEPS = 60
  local V_AT, V_KIND, V_FIGURE, V_EXPECTED = 1, 2, 3, 4

  -- The least that is used in the planned windows where a change that was effective at `at` counts; nil where no figure says
  -- it.
  local function used_at(present, windows, at)
    local least = nil
    for place, plan in ipairs(windows) do
      local window, used = counter.gauge(present, plan, place), nil
      if window and window.kind == GAUGE_PERIOD and window.start <= at and at < window.stop then
        used = window.used
      elseif window and window.kind == GAUGE_SLIDING then
        local index = amount.floor_div(at, window.step)
        if index >= amount.floor_div(store.now, window.step) - STEPS then
          used = 0
          for _, bucket in ipairs(window.buckets) do
            used = bucket[1] == index and bucket[2] or used
          end
        end
      end
      if used and (not least or used < least) then
        least = used
      end
    end
    return least
  end

  -- Whether a time lies in every planned window's present period.
  local function is_present(windows, at)
    for _, window in ipairs(windows) do
      if at < window[W_START] or at >= window[W_STOP] then
        return false
      end
    end
    return true
  end

  -- The part of a signed amount that stands in the top-up, or nil, the rule and what is in use there. What is added is dealt as a charge
  -- is; what goes back leaves the top-up first, and never more than there is.
  local function top_up_part(present, bound, charged, allocation, by, at)
    if by >= 0 then
      local reached = {}
      for _, window in ipairs(bound[B_WINDOWS]) do
        if window[W_START] <= at and at < window[W_STOP] then
          reached[#reached + 1] = window
        end
      end
      return admission.split(present, reached, bound[B_TOP_UP], by, store.now)[2]
    end
    if not is_present(bound[B_WINDOWS], at) then
      return nil, RULE_PERIOD_ENDED, 0
    end
    local part, there = math.min(present.used, -by), used_at(present, bound[B_WINDOWS], at)
    if not present.cut then
      if there and there < -by - part then
        return nil, RULE_BELOW_ZERO, there + present.used
      elseif charged and (allocation or not there) and present.own < -by then
        return nil, RULE_BELOW_ZERO, present.own
      end
    end
    return -part
  end

  -- The signed amount of a move, or nil if something else was charged to the account than it expects.
  local function amount_of(move, own)
    if move[V_KIND] == 0 then
      return move[V_FIGURE]
    elseif move[V_EXPECTED] >= 0 and move[V_EXPECTED] ~= own then
      return nil
    end
    return move[V_FIGURE] - own
  end

  -- One line on copies of the counters: its change and what was charged to its account before and after; or nil and the
  -- refusal.
  local function try(operation, counters, copies, index, at)
    local charge, path = operation[8][index], operation[O_PLAN][P_PATHS][index]
    local chain = charge[C_CHAIN]
    local charged, between = copies[path[chain] or 0], operation[11] == 1
    local before = charged and charged.own or 0
    local by = amount_of(operation[10][index], before)
    if not by then
      return nil, {IS_REFUSED, RULE_UNEXPECTED, index - 1, '', chain - 1, before}
    end
    local change = {index, by, 0, {}}
    -- The charged account before those above it: it is the first to be told of.
    for level = #path, 1, -1 do
      local number, own = path[level], level == chain
      local part, rule, in_use
      if between and by < 0 then
        part = -math.min(copies[number].used, -by)
      else
        part, rule, in_use = top_up_part(copies[number], counters[number], own, charge[C_ALLOCATION] == 1, by, at)
      end
      if not part then
        return nil, {IS_REFUSED, rule, index - 1, '', level - 1, in_use}
      end
      counter.shift(copies[number], at, store.now, by, part, 0, 0, own)
      change[D_PARTS][level] = {part, 0}
    end
    return change, before, charged and charged.own or 0
  end

  -- The miss of what was charged to the accounts themselves, where that is not known, or nil.
  local function unknown_lifetimes(operation)
    local plan, lacking, seen = operation[O_PLAN], {}, {}
    for index, charge in ipairs(operation[8]) do
      local number = plan[P_PATHS][index][charge[C_CHAIN]]
      if number and not seen[number] then
        local bound = store.plans[plan[P_COUNTERS][number]]
        local entry, missing = store.counter(bound[B_KEY]), {}
        local known = entry and entry.value.known
        if not entry then
          known = store.meta[M_COMPLETE] == -MAX
          for window = 1, #bound[B_WINDOWS] do
            missing[window] = window
          end
        end
        if not known then
          lacking[#lacking + 1] = {number, missing}
        end
        seen[number] = true
      end
    end
    return #lacking > 0 and admission.miss(operation, lacking) or nil
  end

  -- Writes a change to the counters; answers the journal's line.
  local function write(operation, counters, index, change, at)
    local chain = operation[8][index][C_CHAIN]
    for level, number in ipairs(operation[O_PLAN][P_PATHS][index]) do
      local part = change[D_PARTS][level][1]
      store.shift(operation[O_TENANT], counters[number][B_KEY], at, change[D_USED], part, 0, 0, level == chain)
    end
    return journal.line(change, at)
  end

  function adjust.run(operation)
    local charges, moves = operation[8], operation[10]
    if not operation[O_PLAN] then
      return settle.refused(RULE_NOT_FOUND)
    end
    local miss, present = unknown_lifetimes(operation), nil
    if not miss then
      present, miss = admission.force(operation, {})
    end
    if not present then
      return miss
    end
    if operation[11] == 1 then
      local parts, denial = admission.decide(operation, admission.ready(operation), '')
      if not parts then
        ids.remember_denial(operation, denial)
        return {IS_DENIED, 0, denial}
      end
    end
    local counters, copies = settle.planned(operation[O_PLAN]), {}
    for number, planned in ipairs(counters) do
      copies[number] = counter.copy(store.counter(planned[B_KEY]).value)
    end
    local changes, times, amounts, lines = {}, {}, {}, {}
    for index = 1, #charges do
      local at = moves[index][V_AT]
      times[index] = at == -1 and store.now or math.min(at, store.now)
      local change, before, after = try(operation, counters, copies, index, times[index])
      if not change then
        return before
      end
      changes[index], amounts[2 * index - 1], amounts[2 * index] = change, before, after
    end
    for index, change in ipairs(changes) do
      if change[D_USED] ~= 0 then
        lines[#lines + 1] = write(operation, counters, index, change, times[index])
      end
    end
    local stamp = journal.stamp(operation, '', amounts)
    local seq = journal.record(KIND_ADJUST, operation[O_TENANT], stamp, '', false, lines, operation[9], charges)
    return {IS_FREED, 0, seq, '', amounts}
  end
end
