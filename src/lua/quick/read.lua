-- quick: what is asked most, decided on what the caller packed for it, with few strings, tables and functions. As soon as anything
-- is met that is not usual, the batch is given up before anything was written, and the server sends it to batch.lua (README.md,
-- "The quick way"). It is one body, almost without functions, because Redis makes them anew in each call; tables begin with what
-- stands in them first, because growing costs more than making them.
--
-- This file makes sure of the partition, and reads its time and what the batch names.

local call, pack, unpack_message, read, write = redis.call, cmsgpack.pack, cmsgpack.unpack, struct.unpack, struct.pack
local byte, char, sub, concat, KEYS = string.byte, string.char, string.sub, table.concat, KEYS
local argument = ARGV[1]
-- As lib/ids.lua, lib/clock.lua and lib/deadlines.lua have them.
local REMEMBER, REMEMBER_DENIAL, MAX_DENIALS, UNWRITTEN, PIECE = 600000, 120000, 100000, 1000, 1024
-- Counters, and requests of settled records, at most.
local MOST = 1000
-- The bytes of `meta` and of a tenant as lib/fixed.lua writes them, and what a number begins with there.
local META_BYTES, TENANT_BYTES, NUMBER = 255, 46, 203
-- Items of a tenant.
local T_UID, T_VERSION, T_OPEN, T_COUNTERS, T_SINCE, T_OLD, T_TOUCHED = 1, 2, 3, 4, 5, 6, 7
-- Items of a counter, and of a list of windows: so many, then so many for each window.
local HEAD, WINDOW = 5, 3
-- What is answered instead of a reply when the batch is given up.
local GIVEN_UP = ''

local expected, given, most_open, most_counters, most_unflushed, tenants_count, lists_count, planned_count, new_count,
  requests_count, outcomes_count, settled_count, operations_count, position = read('<dddddBBI2BBI2BB', argument)

-- The fence, as lib/guard.lua has it.
local meta = call('GET', KEYS[KEY_META])
if not meta or #meta ~= META_BYTES then
  return GIVEN_UP
end
local format, form, incarnation = read('>BBd', meta, 4)
if format ~= 1 or form ~= NUMBER or incarnation ~= expected then
  return GIVEN_UP
end
local replid, open, now, seq, flushed, complete, ids_complete, floor, generation, generation_at, slice, slice_at, seqs_0, seqs_1,
  seqs_2, denials_0, denials_1, denials_2, cursor, open_count, counters_count = read(
  '>c40BxdxdxdxdxdxdBxdBxdxxdxdxdxxdxdxdxdxdxd', meta, 58)
if open ~= 1 or not call('INFO', 'replication'):find('master_replid:' .. replid, 1, true) then
  return GIVEN_UP
end

-- The time, as lib/clock.lua has it. Given up: when the slices of outcomes rotate, or a deadline is due, or the ledger is too far
-- behind.
local time, dirty = given, false
if given < 0 then
  local found = call('TIME')
  local millis = found[2] / 1000
  time = found[1] * 1000 + millis - millis % 1
end
if time > now then
  dirty = given >= 0 or time >= now + UNWRITTEN
  now = time
end
if now - slice_at >= REMEMBER and (slice == 0 and seqs_1 or slice == 1 and seqs_2 or seqs_0) <= flushed then
  return GIVEN_UP
elseif cursor * 1000 <= now or seq - flushed >= most_unflushed then
  return GIVEN_UP
end
-- The number of the entry that this call writes.
seq = seq + 1
local packed_seq = pack(seq)

-- Tenants, as lib/counters.lua has them: {uid, version, open, counters, generation's time, counters in the old generation, true: to
-- be written}.
local tenants = nil
if tenants_count > 0 then
  tenants = tenants_count == 1 and {call('HGET', KEYS[KEY_TENANTS], sub(argument, position, position + 15))}
    or call('HMGET', KEYS[KEY_TENANTS], read(('c16'):rep(tenants_count), argument, position))
  for number = 1, tenants_count do
    local packed, uid = tenants[number], sub(argument, position, position + 15)
    position = position + 16
    local tenant
    if packed and #packed == TENANT_BYTES and byte(packed, 2) == NUMBER then
      tenant = {uid, read('>xxdxdxdxdxd', packed)}
    else
      local known = packed and unpack_message(packed) or {0, 0, 0}
      tenant = {uid, known[1], known[2], known[3], known[4] or generation_at, known[5] or 0, false}
    end
    if tenant[T_SINCE] ~= generation_at then
      local left = tenant[T_COUNTERS] - tenant[T_OLD]
      left = left > 0 and left or 0
      tenant[T_COUNTERS], tenant[T_SINCE], tenant[T_OLD] = left, generation_at, left
    end
    tenants[number] = tenant
  end
end

-- Lists of windows: {-, windows, bytes when packed, from, to, then of each window: id with kind, start and end; limit; hold cap}, and
-- where they stand packed. What is not of now is no list.
local lists, windows_form = nil, 'c25dd'
if lists_count > 0 then
  lists = {false}
  for number = 1, lists_count do
    local count = byte(argument, position)
    local list = {false, read('<BI2dd' .. windows_form:rep(count), argument, position)}
    position = list[HEAD + WINDOW * count + 1] + list[3]
    lists[number] = now >= list[4] and now < list[5] and list
  end
end

-- Keys of counters, and where the numbers of their lists stand.
local keys, keys_count, lists_at = nil, planned_count, nil
if planned_count > 0 then
  keys = {read(('c24'):rep(planned_count), argument, position)}
  lists_at = keys[planned_count + 1]
  position = lists_at + planned_count
end

-- An id that was used before is a repeat, or may be one. `read` answers one item more, where it stopped: no field is that short.
local requests = nil
if outcomes_count > 0 then
  if now < ids_complete + REMEMBER then
    return GIVEN_UP
  end
  if new_count > 0 then
    local found = new_count == 1 and {call('HGET', KEYS[KEY_RESERVATIONS], sub(argument, position, position + 15))}
      or call('HMGET', KEYS[KEY_RESERVATIONS], read(('c16'):rep(new_count), argument, position))
    for place = 1, new_count do
      if found[place] then
        return GIVEN_UP
      end
    end
    position = position + 16 * new_count
  end
  if requests_count > 0 then
    requests = {read(('c16'):rep(requests_count), argument, position)}
    position = requests[requests_count + 1]
    local found = call('HMGET', KEYS[KEY_REQUESTS], unpack(requests, 1, requests_count))
    for place = 1, requests_count do
      if found[place] then
        return GIVEN_UP
      end
    end
  end
  local fields = outcomes_count == 1 and sub(argument, position, position + 16) or ('c17'):rep(outcomes_count)
  for number = 0, 2 do
    local known = number == 0 and seqs_0 + denials_0 or number == 1 and seqs_1 + denials_1 or seqs_2 + denials_2
    if known > 0 then
      local found = outcomes_count == 1 and {call('HGET', KEYS[KEY_OUTCOMES + number], fields)}
        or call('HMGET', KEYS[KEY_OUTCOMES + number], read(fields, argument, position))
      for place = 1, outcomes_count do
        if found[place] then
          return GIVEN_UP
        end
      end
    end
  end
  position = position + 17 * outcomes_count
end
