-- The quick way of a batch (README.md, "The quick way"): each operation decides, in order, on the counters that the batch has read.
-- Of a Reserve or Consume the record, its lines and its effect come packed for the case that it is granted.

-- Verbs; the kind of a window with planned periods.
local LOOK, RESERVE, SETTLE, CONSUME, PLANNED = 1, 2, 3, 5, 128
-- What the batch changes: open reservations and requests, fields and values in turn; seconds of deadlines, each with the keys of the
-- reservations; the journal's entry and the reply, each with a place for its head.
local put_reservations, put_requests, due, trim_to = nil, nil, nil, nil
local entry, entry_size, effects, out, out_size, settled_at = {'', '', '', '', '', ''}, 1, 0, {'', '', '', ''}, 1, 0
local packed_now, granted = pack(now), '\149\1\0' .. packed_seq

-- The bounds of windows, by their id with kind, start and end.
local starts, stops = nil, nil
if settled_count > 0 then
  starts, stops = {}, {}
end

-- A planned counter that is not as planned: rolled to the planned periods, or begun where nothing can be unknown; or nil. A period that
-- still holds something stays beside the new one, which is not done here.
local roll = odd and function(place, list, tenant)
  local counter, last = counters[place], HEAD + WINDOW * list[2]
  odd[place] = nil
  if not counter then
    counter, fresh = {false, complete == -MAX and 257 or 1, ('\0'):rep(16), 0, list[2]}, fresh or {}
    for window = HEAD + 1, last, WINDOW do
      if read('<d', list[window], 10) < complete then
        return nil
      end
      counter[window], counter[window + 1], counter[window + 2] = list[window], 0, 0
    end
    counters[place], fresh[place] = counter, true
    return counter
  elseif type(counter) ~= 'table' or counter[HEAD] ~= list[2] then
    return nil
  end
  for window = HEAD + 1, last, WINDOW do
    local planned, from = list[window], window
    while sub(counter[from], 1, 9) ~= sub(planned, 1, 9) do
      from = from + WINDOW
      if from > last then
        return nil
      end
    end
    for item = 0, from > window and WINDOW - 1 or -1 do
      counter[window + item], counter[from + item] = counter[from + item], counter[window + item]
    end
    if counter[window] ~= planned then
      if read('<d', counter[window], 18) > read('<d', planned, 10) or counter[window + 2] > 0 then
        return nil
      end
      counter[window], counter[window + 1] = planned, 0
      counter[1], dirty = counter[1] or tenant, true
    end
  end
  return counter
end

for place = 1, operations_count do
  local verb, size, at = read('<BI2', argument, position)
  position = at + size

  if verb == RESERVE or verb == CONSUME then
    local number, version, from, to, wanted, tentative, ttl, request, key, effect, head, tail, stamp, count
    number, version, from, to, wanted, tentative, ttl, request, key, effect, head, tail, stamp, count, at =
      read('<BdddBBdBc16I2c0I2c0I2c0Bc0B', argument, at)
    local tenant = tenants[number]
    if version > tenant[T_VERSION] then
      tenant[T_VERSION], tenant[T_TOUCHED], dirty = version, true, true
    end
    if version < tenant[T_VERSION] or version < floor or verb == RESERVE and tenant[T_OPEN] >= most_open
      or tenant[T_COUNTERS] + keys_count >= most_counters or #packed_now ~= 9 then
      return GIVEN_UP
    elseif now < from or now >= to then
      out_size, out[out_size + 1] = out_size + 1, '\145\8'
    else
      local denied, values, first, mark = nil, wanted == 1 and {}, at, 256 * place
      for item = 1, count do
        local counter_number, list_number, asked, positive, used, held, own
        counter_number, list_number, asked, positive, used, held, own, at = read('<I2BdBddd', argument, at)
        local counter, list = counters[counter_number], lists[list_number]
        if list and odd and odd[counter_number] then
          counter = roll(counter_number, list, number)
        end
        if not list or not counter then
          return GIVEN_UP
        end
        -- Whether no limit stands in the way.
        local last, most, fits = HEAD + WINDOW * list[2], MAX - asked, true
        for window = HEAD + 1, last, WINDOW do
          local taken, limit = counter[window + 1] + counter[window + 2], list[window + 1]
          if taken > most or asked > limit - taken and asked > 0 or asked > list[window + 2] or positive == 1 and taken >= limit then
            fits = false
          end
        end
        local packed = (values or not fits) and pack(write('<I2c16dB' .. windows_form:rep(list[2]), unpack(counter, 2, last)))
        if values then
          values[item] = packed
        end
        if not fits then
          if not denied then
            -- What was added before is taken back.
            denied = {}
            local back = first
            for _ = 2, item do
              local added, added_used, added_held, added_own
              added, added_used, added_held, added_own, back = read('<I2xxxxxxxxxxddd', argument, back)
              local before = counters[added]
              for window = HEAD + 2, HEAD + WINDOW * before[HEAD], WINDOW do
                before[window], before[window + 1] = before[window] - added_used, before[window + 1] - added_held
              end
              before[4] = before[4] - added_own
              if before[1] and before[1] >= mark then
                before[1] = false
              end
            end
          end
          denied[#denied + 1] = '\148\147' .. pack(keys[counter_number], -1) .. sub(argument, list[last + 1], list[last + 1] + list[3] - 1)
            .. packed .. pack(asked, positive)
        elseif not denied then
          for window = HEAD + 2, last, WINDOW do
            counter[window], counter[window + 1] = counter[window] + used, counter[window + 1] + held
          end
          counter[4] = counter[4] + own
          if counter[4] > MAX then
            return GIVEN_UP
          elseif not counter[1] and (used > 0 or held > 0 or fresh and fresh[counter_number]) then
            counter[1] = mark + number
          end
        end
      end

      if denied then
        local denial = '\148' .. pack(now, '') .. char(144 + #denied) .. concat(denied) .. '\160'
        local denials = slice == 0 and denials_0 or slice == 1 and denials_1 or denials_2
        if request > 0 and tentative == 0 and denials < MAX_DENIALS then
          denials, dirty = denials + 1, true
          denials_0, denials_1, denials_2 =
            slice == 0 and denials or denials_0, slice == 1 and denials or denials_1, slice == 2 and denials or denials_2
          put_outcomes = put_outcomes or {'', ''}
          -- The stamp begins with the fingerprint.
          put_outcomes[outcomes_size + 1] = 'd' .. requests[request]
          put_outcomes[outcomes_size + 2] = '\147' .. sub(stamp, 1, 9) .. pack(now + REMEMBER_DENIAL, denial)
          outcomes_size = outcomes_size + 2
        end
        out_size, out[out_size + 1] = out_size + 1, '\147\3\0' .. pack(denial)
      else
        -- The lines stand in pieces, between which the time does.
        local ends = now + ttl
        local record, pieces, text = head .. packed_now .. write('>BI8', 207, ends) .. tail, nil, nil
        pieces, text, at = read('<BI2c0', argument, at)
        effects, entry[entry_size + 1], entry[entry_size + 2], entry[entry_size + 3] = effects + 1, effect, record, text
        entry_size = entry_size + 3
        for _ = 2, pieces do
          text, at = read('<I2c0', argument, at)
          entry[entry_size + 1], entry[entry_size + 2] = packed_now, text
          entry_size = entry_size + 2
        end
        if verb == CONSUME then
          if not kept then
            local expires = now + REMEMBER
            kept = packed_seq .. pack(expires + (1000 - expires % 1000) % 1000)
          end
          put_outcomes, remembers = put_outcomes or {'', ''}, true
          -- Behind the lines stands the fingerprint.
          put_outcomes[outcomes_size + 1], put_outcomes[outcomes_size + 2] = 'r' .. key, '\147' .. read('c9', argument, at) .. kept
          outcomes_size = outcomes_size + 2
          if request > 0 then
            put_outcomes[outcomes_size + 1], put_outcomes[outcomes_size + 2] = 'q' .. requests[request], '\149' .. stamp .. kept
            outcomes_size = outcomes_size + 2
          end
        else
          tenant[T_OPEN], open_count, tenant[T_TOUCHED] = tenant[T_OPEN] + 1, open_count + 1, true
          if not put_reservations then
            put_reservations = {key, record}
          else
            put_reservations[#put_reservations + 1] = key
            put_reservations[#put_reservations + 1] = record
          end
          if request > 0 then
            put_requests = put_requests or {}
            put_requests[#put_requests + 1] = requests[request]
            put_requests[#put_requests + 1] = '\148' .. stamp .. packed_seq
          end
          local second = ends + 999
          second = (second - second % 1000) / 1000
          if not due then
            due = {second, {key}}
          elseif due[#due - 1] == second then
            local ending = due[#due]
            ending[#ending + 1] = key
          else
            due[#due + 1] = second
            due[#due + 1] = {key}
          end
        end
        out_size = out_size + 1
        out[out_size] = granted .. (values and '\160' .. char(144 + #values) .. concat(values) or '\160\194')
      end
    end

  elseif verb == SETTLE then
    local number, version, created, shift = settled[settled_at + 1], settled[settled_at + 2], settled[settled_at + 3], settled[settled_at + 4]
    local tenant, packed = tenants[number], settled[settled_at + 5]
    if version > tenant[T_VERSION] then
      tenant[T_VERSION], dirty = version, true
    elseif version > 0 and (version < tenant[T_VERSION] or version < floor) then
      return GIVEN_UP
    end
    local last_shift = settled_at + SETTLED < settled_size and settled[settled_at + SETTLED + 4] or shifts_size
    for item = shift + 1, last_shift, SHIFT do
      local counter_number, used, held = shifts[item], shifts[item + 1], shifts[item + 2]
      local counter = counters[counter_number]
      -- One that a Check or a denial began is not there.
      if counter and (not fresh or not fresh[counter_number] or counter[1]) then
        if type(counter) ~= 'table' then
          return GIVEN_UP
        end
        for window = HEAD + 1, HEAD + WINDOW * counter[HEAD], WINDOW do
          local id = counter[window]
          local start = starts[id]
          if not start then
            local kind, stop
            kind, start, stop = read('<xxxxxxxxBdd', id)
            if kind ~= PLANNED then
              return GIVEN_UP
            end
            starts[id], stops[id] = start, stop
          end
          if start <= created and created < stops[id] then
            local sum, left = counter[window + 1] + used, counter[window + 2] - held
            if sum > MAX then
              return GIVEN_UP
            end
            counter[window + 1], counter[window + 2] = sum, left > 0 and left or 0
          end
        end
        counter[4] = counter[4] + shifts[item + 3]
        if counter[4] > MAX then
          return GIVEN_UP
        end
        counter[1] = counter[1] or number
      end
    end
    effects, entry[entry_size + 2], entry[entry_size + 3] = effects + 1, packed, settled[settled_at + 7]
    entry[entry_size + 1] = '\152\176' .. tenant[T_UID]
      .. (tenant[T_VERSION] < 128 and char(tenant[T_VERSION]) or pack(tenant[T_VERSION])) .. settled[settled_at + 6]
    entry_size = entry_size + 3
    tenant[T_OPEN], tenant[T_TOUCHED] = tenant[T_OPEN] > 0 and tenant[T_OPEN] - 1 or 0, true
    open_count = open_count > 0 and open_count - 1 or 0
    out[out_size + 1], out[out_size + 2], out[out_size + 3] = granted, packed, '\194'
    settled_at, out_size = settled_at + SETTLED, out_size + 3

  elseif verb == LOOK then
    local number, version, from, to, count
    number, version, from, to, count, at = read('<BdddB', argument, at)
    local tenant = tenants[number]
    if version > tenant[T_VERSION] then
      tenant[T_VERSION], tenant[T_TOUCHED], dirty = version, true, true
    end
    if version < tenant[T_VERSION] or version < floor then
      return GIVEN_UP
    elseif now < from or now >= to then
      out_size, out[out_size + 1] = out_size + 1, '\145\8'
    else
      local values = '\146\2' .. char(144 + count)
      for _ = 1, count do
        local counter_number, list_number
        counter_number, list_number, at = read('<I2B', argument, at)
        local counter, list = counters[counter_number], lists[list_number]
        if list and odd and odd[counter_number] then
          counter = roll(counter_number, list, number)
        end
        if not list or not counter then
          return GIVEN_UP
        end
        values = values .. pack(write('<I2c16dB' .. windows_form:rep(list[2]), unpack(counter, 2, HEAD + WINDOW * list[2])))
      end
      out_size, out[out_size + 1] = out_size + 1, values
    end

  else
    -- The ledger has everything up to an entry (trim.lua).
    local upto, keep = read('<dd', argument, at)
    flushed, trim_to, dirty = upto > flushed and upto or flushed, keep, true
    out_size, out[out_size + 1] = out_size + 1, '\146\13\0'
  end
end
