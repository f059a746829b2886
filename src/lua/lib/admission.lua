-- Admission: `amount <= limit - used - held` on every limit, or nothing changes (the twin of `domain/admission.rs` and
-- of `store/embedded/admit.rs`). A denial carries the values that it was decided on; which limits stand in the way, and
-- why, is said by the same rule in Rust.

local admission = {}

do
  -- Whether nothing stands in the way of an amount on one counter, and the least that its enforced limits leave (nil: nothing
  -- limits). A limit that is not enforced is in the way only of amounts that leave the range. `extra` is the top-up's rest.
  local function judge(value, windows, extra, asked, positive, now)
    local least, windows_of = nil, value.windows
    for place = 1, #windows do
      local plan = windows[place]
      local window = windows_of[place]
      if not window or window.id ~= plan[W_ID] or window.start ~= plan[W_START] or window.stop ~= plan[W_STOP] then
        window = counter.gauge(value, plan, place)
      end
      if window then
        local used, held = window.used, window.held
        if not used then
          used, held = counter.usage(window, now)
        end
        if used + held > MAX - asked then
          return false
        end
        local limit = plan[W_LIMIT]
        if limit >= 0 and plan[W_ENFORCED] == 1 then
          local cap = plan[W_HOLD_CAP]
          if cap >= 0 and asked > cap then
            return false
          end
          local rest
          if window.kind == GAUGE_RATE or limit > MAX then
            rest = counter.remaining(window, limit, now)
          else
            rest = limit - used - held
          end
          local room = extra
          if rest > 0 then
            room = room + rest
          end
          if asked > room or (positive and room <= 0) then
            return false
          elseif not least or rest < least then
            least = rest
          end
        end
      end
    end
    return true, least
  end

  -- Whether any limit on one counter stands in the way. The value must have every planned window.
  function admission.denies(value, windows, top_up, asked, positive, now)
    return not judge(value, windows, counter.top_up_rest(value, top_up), asked, positive, now)
  end

  -- What stands in the top-up: what does not fit the least rest, as far as the top-up has it.
  local function top_up_part(least, extra, asked)
    if not least or extra == 0 or asked <= least then
      return 0
    end
    return math.min(asked - math.max(least, 0), extra)
  end

  -- Where an amount stands that is let in whether it fits or not, {in the period, in the top-up}: what does not fit the
  -- period's rest in the top-up, what fits neither in the period.
  function admission.split(value, windows, top_up, asked, now)
    local part = top_up_part(counter.rest(value, windows, now), counter.top_up_rest(value, top_up), asked)
    return {asked - part, part}
  end

  local function every(windows)
    local numbers = {}
    for number = 1, #windows do
      numbers[number] = number
    end
    return numbers
  end

  -- The reply that says what is not loaded, {{number in the plan, {missing windows}}, ...}, and from now on notes what
  -- changes there.
  function admission.miss(operation, lacking)
    local flushed_to = 0
    for _, item in ipairs(lacking) do
      local bound = store.plans[operation[O_PLAN][P_COUNTERS][item[1]]]
      flushed_to = math.max(flushed_to, store.begin_loading(operation[O_TENANT], bound[B_KEY]))
    end
    return {IS_MISS, '', '', flushed_to, lacking}
  end

  -- The value of a planned counter that is not there: known to be empty where nothing before can be unknown, else nil.
  local function absent(bound)
    local complete = store.meta[M_COMPLETE]
    local from_the_beginning = complete == -MAX
    if bound[B_TOP_UP] >= 0 and not from_the_beginning then
      return nil
    end
    local fresh = value.empty(from_the_beginning)
    local missing = counter.roll(fresh, bound[B_WINDOWS], complete, store.now)
    -- A value that is half known would pass for a whole one: all of it is loaded, or none.
    return not missing and fresh or nil
  end

  -- Rolls every planned counter to its periods. Answers {{bound, entry or false, value}, ...} by planned counter, or
  -- nil and the reply of the miss.
  function admission.ready(operation)
    local ready, lacking = {}, nil
    for number, place in ipairs(operation[O_PLAN][P_COUNTERS]) do
      local bound = store.plans[place]
      local entry = store.counter(bound[B_KEY])
      local present, missing, changed
      if entry then
        present = entry.value
        -- Once a call is enough, its time stands still, unless what was held beside the present periods was settled since.
        if entry.rolled ~= bound or present.settled then
          missing, changed = counter.roll(present, bound[B_WINDOWS], nil, store.now)
          if changed then
            store.touch_counter(operation[O_TENANT], bound[B_KEY], entry)
          end
          entry.rolled = not missing and bound
        end
        if not missing and bound[B_TOP_UP] >= 0 and not present.known then
          missing = {}
        end
      else
        present = absent(bound)
        missing = not present and every(bound[B_WINDOWS])
      end
      if missing then
        lacking = lacking or {}
        lacking[#lacking + 1] = {number, missing}
      end
      ready[number] = {bound, entry, present}
    end
    if lacking then
      return nil, admission.miss(operation, lacking)
    end
    return ready
  end

  -- The bytes of what `ready` answered, by planned counter.
  function admission.values(ready)
    local values = {}
    for number, item in ipairs(ready) do
      values[number] = item[2] and store.packed_counter(item[2]) or value.encode(item[3])
    end
    return values
  end

  -- A denial, packed: what is barred (as it came), the counters {{plan, value's bytes, amount, positive}, ...} that stand
  -- in the way, and the record (packed) of a hold that was to be raised, or "".
  function admission.denial(barred, counters, packed)
    return cmsgpack.pack({store.now, barred, counters, packed})
  end

  -- Decides all counters. Answers by planned counter what the top-up takes, or nil and the denial.
  function admission.decide(operation, ready, barred)
    local demands, parts, denied = operation[O_PLAN][P_DEMANDS], {}, nil
    local now = store.now
    for number = 1, #ready do
      local item, demand = ready[number], demands[number]
      local bound, present, asked = item[1], item[3], demand[1]
      local extra = counter.top_up_rest(present, bound[B_TOP_UP])
      local fits, least = judge(present, bound[B_WINDOWS], extra, asked, demand[2] == 1, now)
      if not fits then
        denied = denied or {}
        local bytes = item[2] and store.packed_counter(item[2]) or value.encode(present)
        denied[#denied + 1] = {bound, bytes, asked, demand[2]}
      elseif not denied then
        parts[number] = top_up_part(least, extra, asked)
      end
    end
    if denied or barred ~= '' then
      return nil, admission.denial(barred, denied or {}, '')
    end
    return parts
  end

  -- Puts in the counters that `ready` found absent.
  function admission.insert(operation, ready)
    for _, item in ipairs(ready) do
      if not item[2] then
        item[2] = store.insert_counter(operation[O_TENANT], item[1][B_KEY], item[3])
      end
    end
  end

  -- What happened without the store, or a commit that nobody held for, in the periods of now, whether it fits or not: by planned
  -- counter what of the charges its top-up takes. Puts in what is absent; nil and the reply for a miss. Taken charge by charge,
  -- because a sum beyond 2^53 would not be exact.
  function admission.force(operation, charges)
    local ready, miss = admission.ready(operation)
    if not ready then
      return nil, miss
    end
    local parts, rests, extras = {}, {}, {}
    for number, item in ipairs(ready) do
      local bound, present = item[1], item[3]
      local least = counter.rest(present, bound[B_WINDOWS], store.now)
      parts[number], rests[number] = 0, math.max(least or 0, 0)
      extras[number] = least and counter.top_up_rest(present, bound[B_TOP_UP]) or 0
    end
    for index, charge in ipairs(charges) do
      local asked = math.max(charge[C_ASKED], 0)
      for _, number in ipairs(operation[O_PLAN][P_PATHS][index]) do
        local fits = math.min(asked, rests[number])
        rests[number] = rests[number] - fits
        parts[number] = math.min(parts[number] + asked - fits, extras[number])
      end
    end
    admission.insert(operation, ready)
    return parts
  end

  -- Deals what was let in to the charges of a record; `parts` is what the top-ups take, and is used up. The period's part goes to
  -- the charges in order, so the top-up's from the last one on. Changes the record.
  function admission.deal(record, plan, parts, at_once)
    local charges, top_ups, changes = record[R_CHARGES], {}, {}
    for index = #charges, 1, -1 do
      local asked, top_up = math.max(charges[index][C_ASKED], 0), {}
      for level, number in ipairs(plan[P_PATHS][index]) do
        top_up[level] = math.min(asked, parts[number])
        parts[number] = parts[number] - top_up[level]
      end
      top_ups[index] = top_up
    end
    local take = at_once and settlement.record_new or settlement.take_new
    for index, charge in ipairs(charges) do
      changes[index] = take(index, charge, math.max(charge[C_ASKED], 0), top_ups[index])
    end
    record[R_STATE] = at_once and COMMITTED or HELD
    return changes
  end

  -- Adds a change of a record's charge to the counters of its path, where they are there. Says whether a figure was
  -- cut.
  function admission.shift_path(record, change)
    local charge, cut = record[R_CHARGES][change[1]], false
    for level, parts in ipairs(change[4]) do
      local key = charge[C_LEVELS][level][L_ACCOUNT] .. charge[C_METER]
      local own = level == charge[C_CHAIN]
      cut = store.shift(record[R_TENANT], key, record[R_CREATE_TIME], change[2], parts[1], change[3], parts[2], own) or cut
    end
    return cut
  end

  -- Applies a record's changes to counters; answers the journal's lines. A figure that was cut flags the record.
  function admission.apply(record, changes)
    local lines = {}
    for _, change in ipairs(changes) do
      if not settlement.is_empty(change) then
        if admission.shift_path(record, change) then
          settlement.raise_flag(record, FLAG_SATURATED)
        end
        lines[#lines + 1] = journal.line(change, record[R_CREATE_TIME])
      end
    end
    return lines
  end

  -- Writes a new reservation with its changes. Answers the entry's number and the record packed.
  function admission.enter(operation, record, changes, kind)
    local lines = admission.apply(record, changes)
    local stamp = journal.stamp(operation, record[R_KEY])
    if stamp then
      record[R_REQUESTS][#record[R_REQUESTS] + 1] = stamp[1]
    end
    local packed = cmsgpack.pack(record)
    local open = settlement.is_open(record)
    local seq = journal.record(kind, record[R_TENANT], stamp, packed, open, lines)
    if open then
      store.put_reservation(record, packed)
      store.count_open(record[R_TENANT], 1)
      deadlines.insert(record[R_EXPIRE_TIME], record[R_KEY])
    else
      ids.remember_end(record, seq)
    end
    return seq, packed
  end
end
