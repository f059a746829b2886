-- quick: what is asked most, decided on what the caller packed for it, with few strings, tables and functions. As soon as anything
-- is met that is not usual, the batch is given up before anything was written, and the server sends it to batch.lua (README.md,
-- "The quick way"). This file reads what the batch names.
--
-- A counter is a flat array here: {format, flags, top-up used, top-up held, own, windows, then of each window: id, kind, start,
-- end, used, held}. Only those are read that are known whole and have nothing but planned periods.

local call, pack, unpack_message, read, concat = redis.call, cmsgpack.pack, cmsgpack.unpack, struct.unpack, table.concat
local argument = ARGV[1]
-- As lib/ids.lua, lib/clock.lua and lib/deadlines.lua have them.
local REMEMBER, REMEMBER_DENIAL, MAX_DENIALS, UNWRITTEN, PIECE = 600000, 120000, 100000, 1000, 1024
-- Counters, and requests of settled records, at most.
local MOST = 1000
-- A counter's fields before its windows, and of each; the same in bytes.
local HEAD, WINDOW, HEAD_BYTES, WINDOW_BYTES, PLANNED_PERIOD = 6, 6, 27, 41, 128
-- What is answered instead of a reply when the batch is given up.
local GIVEN_UP = ''

local incarnation, given, most_open, most_counters, most_unflushed, tenants_count, lists_count, planned_count, new_count,
  requests_count, outcomes_count, settled_count, operations_count, position = read('<dddddBBI2BBI2BB', argument)

-- The fence, as lib/guard.lua has it.
local meta = call('GET', KEYS[KEY_META])
meta = meta and unpack_message(meta)
if not meta or meta[1] ~= 1 or meta[M_INCARNATION] ~= incarnation or meta[M_OPEN] ~= 1 then
  return GIVEN_UP
elseif not call('INFO', 'replication'):find('master_replid:' .. meta[M_REPLID], 1, true) then
  return GIVEN_UP
end

-- The time, as lib/clock.lua has it. Given up: when the slices of outcomes rotate, or a deadline is due, or the ledger is too far
-- behind.
local now, dirty = given, false
if given < 0 then
  now = call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
end
if now > meta[M_NOW] then
  dirty = given >= 0 or now >= meta[M_NOW] + UNWRITTEN
  meta[M_NOW] = now
end
now = meta[M_NOW]
local seq = meta[M_SEQ] + 1
if now - meta[M_SLICE_AT] >= REMEMBER and meta[M_SLICE_SEQS][(meta[M_SLICE] + 1) % 3 + 1] <= meta[M_FLUSHED] then
  return GIVEN_UP
elseif meta[M_CURSOR] <= math.floor(now / 1000) or meta[M_SEQ] - meta[M_FLUSHED] >= most_unflushed then
  return GIVEN_UP
end

-- So many strings of one length, and what stands behind them.
local function strings(form, count)
  local list = {read(form:rep(count), argument, position)}
  position, list[count + 1] = list[count + 1], nil
  return list
end

-- Lists of windows: {packed, windows, then of each window: id, start, end, limit, enforced, hold cap}.
local uids, lists = strings('c16', tenants_count), {}
for number = 1, lists_count do
  local packed, count, after = read('<I2c0B', argument, position)
  local list = {packed, count, read('<' .. ('c8dddBd'):rep(count), argument, after)}
  position = list[3 + 6 * count]
  lists[number] = list
end
local keys, list_of = strings('c24', planned_count), strings('B', planned_count)
local new, requests, outcomes = strings('c16', new_count), strings('c16', requests_count), strings('c17', outcomes_count)
local settled = strings('c16', settled_count)

-- Whether any of these fields is there.
local function any(key, fields)
  local found = call('HMGET', KEYS[key], unpack(fields))
  for place = 1, #fields do
    if found[place] then
      return true
    end
  end
  return false
end

-- An id that was used before is a repeat, or may be one.
if outcomes_count > 0 then
  if now < meta[M_IDS_COMPLETE] + REMEMBER then
    return GIVEN_UP
  elseif new_count > 0 and any(KEY_RESERVATIONS, new) or requests_count > 0 and any(KEY_REQUESTS, requests) then
    return GIVEN_UP
  end
  for slice = 1, 3 do
    local remembers = meta[M_SLICE_SEQS][slice] > 0 or meta[M_SLICE_DENIALS][slice] > 0
    if remembers and any(KEY_OUTCOMES + slice - 1, outcomes) then
      return GIVEN_UP
    end
  end
end

-- Tenants, as lib/counters.lua has them: {version, open, counters, generation's time, counters in the old generation}.
local tenants, touched_tenants = {}, {}
if tenants_count > 0 then
  local found, at = call('HMGET', KEYS[KEY_TENANTS], unpack(uids)), meta[M_GENERATION_AT]
  for number = 1, tenants_count do
    local tenant = found[number] and unpack_message(found[number]) or {0, 0, 0, at, 0}
    if (tenant[4] or at) ~= at then
      tenant[3] = math.max(tenant[3] - (tenant[5] or 0), 0)
      tenant[5] = tenant[3]
    end
    tenant[4], tenant[5] = at, tenant[5] or 0
    tenants[number] = tenant
  end
end

-- Records to be settled, with the counters that they are on, and the requests that they have had.
local records, place_of, known_requests = {}, {}, {}
if settled_count > 0 then
  for place = 1, planned_count do
    place_of[keys[place]] = place
  end
  local found, asked = call('HMGET', KEYS[KEY_RESERVATIONS], unpack(settled)), {}
  for number = 1, settled_count do
    if not found[number] then
      return GIVEN_UP
    end
    local record = unpack_message(found[number])
    records[number] = record
    for _, charge in ipairs(record[R_CHARGES]) do
      for _, level in ipairs(charge[C_LEVELS]) do
        local key = level[L_ACCOUNT] .. charge[C_METER]
        if not place_of[key] then
          keys[#keys + 1] = key
          place_of[key] = #keys
        end
      end
    end
    for _, request in ipairs(record[R_REQUESTS]) do
      asked[#asked + 1] = request
    end
  end
  -- `unpack` has a bound, also where it would be met in the write phase.
  if #asked > MOST or #keys > MOST then
    return GIVEN_UP
  elseif #asked > 0 then
    found = call('HMGET', KEYS[KEY_REQUESTS], unpack(asked))
    for place = 1, #asked do
      known_requests[asked[place]] = found[place] or nil
    end
  end
end

-- A counter from its bytes; these themselves if it is not one that is read here.
local function decode(raw)
  local format, flags, count = raw:byte(1), raw:byte(2), raw:byte(HEAD_BYTES)
  if format ~= 1 or flags >= 4 or #raw ~= HEAD_BYTES + WINDOW_BYTES * count then
    return raw
  end
  local counter = {read('<BBdddB' .. ('c8Bdddd'):rep(count), raw)}
  for at = HEAD, WINDOW * count, WINDOW do
    if counter[at + 2] ~= PLANNED_PERIOD then
      return raw
    end
  end
  return counter
end

-- Counters by place: an array, bytes, or false where none is. `old`: it is in the old generation.
local counters, old, fresh = {}, {}, {}
local current = KEY_COUNTERS + meta[M_GENERATION]
local before = 2 * KEY_COUNTERS + 1 - current
if #keys > 0 then
  local found, absent, places = call('HMGET', KEYS[current], unpack(keys)), {}, {}
  for place = 1, #keys do
    local raw = found[place]
    counters[place] = raw and decode(raw)
    if not raw then
      absent[#absent + 1], places[#places + 1] = keys[place], place
    end
  end
  if #absent > 0 then
    found = call('HMGET', KEYS[before], unpack(absent))
    for number = 1, #absent do
      if found[number] then
        counters[places[number]], old[places[number]] = decode(found[number]), true
      end
    end
  end
end
