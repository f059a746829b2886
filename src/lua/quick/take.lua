-- The quick way of Check, Reserve and Consume (README.md, "The quick way"): the decision of lib/admission.lua on counters without a
-- top-up. The record, its lines and its effect come packed for the case that it is granted.

-- What the batch changes: counters by place, each once; new values of fields by hash, false removes one; the journal's entry in
-- pieces after its head; the reply in pieces after its head.
local touched, is_touched = {}, {}
local put_reservations, put_requests, put_outcomes, due = {}, {}, {}, {}
local entry, effects, out = {''}, 0, {''}
local trim_to = nil

-- When what is remembered now is forgotten: to the whole second (lib/ids.lua).
local expires = now + REMEMBER
expires = expires + (1000 - expires % 1000) % 1000
local time, packed_seq = pack(now), pack(seq)
local kept = pack(seq, expires)

-- The beginning of a packed array, and of packed bytes.
local function list(count)
  return count < 16 and string.char(144 + count) or struct.pack('>BI2', 220, count)
end

local function encode(counter)
  local count = counter[6]
  return struct.pack('<BBdddB' .. ('c8Bdddd'):rep(count), unpack(counter, 1, HEAD + WINDOW * count))
end

-- Says that a counter was changed for a tenant. The first time a new one is counted, and one of the old generation moves.
local function touch(place, tenant)
  if is_touched[place] then
    return
  end
  is_touched[place], touched[#touched + 1], dirty = true, place, true
  local known = tenants[tenant]
  if fresh[place] then
    known[3], meta[M_COUNTERS], touched_tenants[tenant] = known[3] + 1, meta[M_COUNTERS] + 1, true
  elseif old[place] then
    known[5], touched_tenants[tenant] = math.max(known[5] - 1, 0), true
  end
end

-- Remembers an outcome (packed) in the current slice until the ledger has the entry of this call.
local function remember(field, packed)
  put_outcomes[#put_outcomes + 1], put_outcomes[#put_outcomes + 2] = field, packed
  meta[M_SLICE_SEQS][meta[M_SLICE] + 1] = math.max(meta[M_SLICE_SEQS][meta[M_SLICE] + 1], seq)
end

-- A counter of which nothing can be unknown, so that it begins with nothing; or nil.
local function begin(place, windows)
  local complete, counter = meta[M_COMPLETE], {1, 0, 0, 0, 0, windows[2]}
  if complete == -MAX then
    counter[2] = 1
  end
  for at = WINDOW, WINDOW * windows[2], WINDOW do
    if windows[at - 2] < complete then
      return nil
    end
    counter[at + 1], counter[at + 2], counter[at + 3] = windows[at - 3], PLANNED_PERIOD, windows[at - 2]
    counter[at + 4], counter[at + 5], counter[at + 6] = windows[at - 1], 0, 0
  end
  counters[place], fresh[place] = counter, true
  return counter
end

-- Puts the windows of a counter into the order of the plan: a period that began later stands at the end. Whether it has them.
local function arrange(counter, windows)
  local last = WINDOW * windows[2]
  for at = WINDOW, last, WINDOW do
    local from = at
    while counter[from + 1] ~= windows[at - 3] do
      from = from + WINDOW
      if from > last then
        return false
      end
    end
    for item = 1, from ~= at and WINDOW or 0 do
      counter[at + item], counter[from + item] = counter[from + item], counter[at + item]
    end
  end
  return true
end

-- The counter at a place, rolled to the planned periods, with just these windows; or nil. A period that still holds something
-- stays beside the new one, which is not done here.
local function rolled(place, tenant)
  local windows = lists[list_of[place]]
  local counter = counters[place] or begin(place, windows)
  if type(counter) ~= 'table' or counter[6] ~= windows[2] then
    return nil
  end
  for at = WINDOW, WINDOW * windows[2], WINDOW do
    local start, stop = windows[at - 2], windows[at - 1]
    if counter[at + 1] ~= windows[at - 3] and not arrange(counter, windows) or now < start or now >= stop then
      return nil
    elseif counter[at + 3] ~= start or counter[at + 4] ~= stop then
      if counter[at + 4] > start or counter[at + 6] > 0 then
        return nil
      end
      counter[at + 3], counter[at + 4], counter[at + 5] = start, stop, 0
      touch(place, tenant)
    end
  end
  return counter, windows
end

-- Whether no limit stands in the way of an amount.
local function fits(counter, windows, asked, positive)
  for at = WINDOW, WINDOW * windows[2], WINDOW do
    local taken, limit = counter[at + 5] + counter[at + 6], windows[at]
    if taken > MAX - asked then
      return false
    elseif limit >= 0 and windows[at + 1] == 1 then
      local room, cap = math.max(limit - taken, 0), windows[at + 2]
      if asked > room or (cap >= 0 and asked > cap) or (positive == 1 and room == 0) then
        return false
      end
    end
  end
  return true
end

-- Whether an operation was planned under the tenant's present version, or a newer one, which is taken over.
local function is_current(tenant, version)
  local known = tenants[tenant]
  if version == 0 then
    return true
  elseif version < known[1] or version < meta[M_FLOOR] then
    return false
  elseif version > known[1] then
    known[1], touched_tenants[tenant], dirty = version, true, true
  end
  return true
end

-- Check and Usage: whether it was answered.
local function look()
  local tenant, version, from, to, count, at = read('<BdddB', argument, position)
  if not is_current(tenant, version) then
    return false
  elseif now < from or now >= to then
    out[#out + 1] = '\145\8'
    return true
  end
  out[#out + 1] = '\146\2' .. list(count)
  for _ = 1, count do
    local place
    place, at = read('<I2', argument, at)
    local counter = rolled(place, tenant)
    if not counter then
      return false
    end
    out[#out + 1] = pack(encode(counter))
  end
  return true
end

local function deny(denied, request, stamp, tentative)
  local denial = '\148' .. pack(now, '') .. list(#denied) .. concat(denied) .. '\160'
  local denials, slice = meta[M_SLICE_DENIALS], meta[M_SLICE] + 1
  if request > 0 and tentative == 0 and denials[slice] < MAX_DENIALS then
    denials[slice], dirty = denials[slice] + 1, true
    put_outcomes[#put_outcomes + 1] = 'd' .. requests[request]
    -- The stamp begins with the fingerprint.
    put_outcomes[#put_outcomes + 1] = '\147' .. stamp:sub(1, 9) .. pack(now + REMEMBER_DENIAL, denial)
  end
  out[#out + 1] = '\147\3\0' .. pack(denial)
end

-- The counters of a Reserve: adds what it takes, if nothing is in the way of any. Answers the denials, and the values before where
-- they are wanted; or nil.
local function admit(tenant, count, at, wanted)
  local denied, values, first = {}, wanted == 1 and {} or nil, at
  for _ = 1, count do
    local place, asked, positive
    place, asked, positive, at = read('<I2dBxxxxxxxxxxxxxxxxxxxxxxxx', argument, at)
    local counter, windows = rolled(place, tenant)
    if not counter then
      return nil
    elseif not fits(counter, windows, asked, positive) then
      denied[#denied + 1] = '\148\147' .. pack(keys[place], -1) .. windows[1] .. pack(encode(counter), asked, positive)
    end
    if values then
      values[#values + 1] = pack(encode(counter))
    end
  end
  if #denied > 0 then
    return denied
  end
  for _ = 1, count do
    local place, _, _, used, held, own, after = read('<I2dBddd', argument, first)
    local counter = counters[place]
    for window = WINDOW, WINDOW * counter[6], WINDOW do
      counter[window + 5], counter[window + 6] = counter[window + 5] + used, counter[window + 6] + held
    end
    counter[5], first = counter[5] + own, after
    if counter[5] > MAX then
      return nil
    elseif used > 0 or held > 0 or fresh[place] then
      touch(place, tenant)
    end
  end
  return denied, values
end

-- Adds the effect of a granted Reserve to the entry: its lines stand in pieces, between which the time does.
local function add_effect(effect, record, pieces, at)
  local size = #entry
  entry[size + 1], entry[size + 2] = effect, record
  size = size + 2
  for piece = 1, pieces do
    local text
    text, at = read('<I2c0', argument, at)
    entry[size + 1], entry[size + 2] = text, time
    size = size + 2
  end
  entry[size], effects = nil, effects + 1
end

-- Reserve and Consume: whether it was answered.
local function take()
  local tenant, version, from, to, consume, wanted, tentative, ttl, request, key, fingerprint, head, tail, effect, stamp, count, at =
    read('<BdddBBBdBc16c8I2c0I2c0I2c0Bc0B', argument, position)
  local known = tenants[tenant]
  if not is_current(tenant, version) or known[2] >= most_open and consume == 0 or known[3] >= most_counters then
    return false
  elseif now < from or now >= to then
    out[#out + 1] = '\145\8'
    return true
  end
  local denied, values = admit(tenant, count, at + 1, wanted)
  if not denied then
    return false
  elseif #denied > 0 then
    deny(denied, request, stamp, tentative)
    return true
  end
  local ends = pack(now + ttl)
  if #time ~= 9 or #ends ~= 9 then
    return false
  end

  local record = head .. time .. ends .. tail
  add_effect(effect, record, argument:byte(at), at + 1 + 35 * count)
  if consume == 1 then
    remember('r' .. key, '\147\168' .. fingerprint .. kept)
    if request > 0 then
      remember('q' .. requests[request], '\149' .. stamp .. kept)
    end
  else
    put_reservations[key] = record
    known[2], meta[M_RESERVATIONS], touched_tenants[tenant] = known[2] + 1, meta[M_RESERVATIONS] + 1, true
    if request > 0 then
      put_requests[requests[request]] = '\148' .. stamp .. packed_seq
    end
    local second = math.ceil((now + ttl) / 1000)
    local ending = due[second] or {}
    ending[#ending + 1], due[second] = key, ending
  end
  out[#out + 1] = '\149\1\0' .. packed_seq .. '\160' .. (values and list(#values) .. concat(values) or '\194')
  return true
end
