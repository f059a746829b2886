-- The quick way of a whole batch (README.md, "The quick way"): lets each operation decide, then writes. Arguments: ARGV[1]. Reply: as
-- batch.lua gives it, with a tenth item, 1; or "" before anything was written, if the batch was given up.
-- Example: a Check of one counter -> {1, 0, 1700000000000, 42, 40, 1, 2, 3, {{2, {"\1\1..."}}}, 1}

-- The ledger has everything up to an entry (trim.lua).
local function trim()
  local flushed, keep = read('<dd', argument, position)
  meta[M_FLUSHED], trim_to, dirty = math.max(meta[M_FLUSHED], flushed), keep, true
  out[#out + 1] = '\146\13\0'
  return true
end

for _ = 1, operations_count do
  local verb, size
  verb, size, position = read('<BI2', argument, position)
  local done
  if verb == 2 then
    done = take()
  elseif verb == 3 or verb == 4 then
    done = settle(verb == 3)
  elseif verb == 1 then
    done = look()
  else
    done = trim()
  end
  if not done then
    return GIVEN_UP
  end
  position = position + size
end

-- Sets what was changed in a hash, and removes what is false.
local function save(key, changed)
  local set, gone = {}, {}
  for field, bytes in pairs(changed) do
    if bytes then
      set[#set + 1], set[#set + 2] = field, bytes
    else
      gone[#gone + 1] = field
    end
  end
  if #set > 0 then
    call('HSET', KEYS[key], unpack(set))
  end
  if #gone > 0 then
    call('HDEL', KEYS[key], unpack(gone))
  end
end

-- Has reservations looked at once their deadline has passed, as lib/deadlines.lua does.
local function write_due()
  local fields = {}
  for second, ending in pairs(due) do
    local field = string.format('%d', second)
    local text = (call('HGET', KEYS[KEY_DEADLINES], field) or '') .. concat(ending)
    local full = 0
    if #text % 16 ~= 0 then
      full, text = read('<I4', text), text:sub(5)
    end
    while #text >= PIECE do
      full = full + 1
      fields[field .. ':' .. string.format('%d', full)], text = text:sub(1, PIECE), text:sub(PIECE + 1)
    end
    fields[field] = full > 0 and struct.pack('<I4', full) .. text or text
    meta[M_CURSOR] = math.min(meta[M_CURSOR], second)
  end
  save(KEY_DEADLINES, fields)
end

local function write_counters()
  local set, gone = {}, {}
  for number = 1, #touched do
    local place = touched[number]
    set[#set + 1], set[#set + 2] = keys[place], encode(counters[place])
    if old[place] then
      gone[#gone + 1] = keys[place]
    end
  end
  if #set > 0 then
    call('HSET', KEYS[current], unpack(set))
  end
  if #gone > 0 then
    call('HDEL', KEYS[before], unpack(gone))
  end
end

-- The journal entry first, `meta` last.
if effects > 0 then
  entry[1], meta[M_SEQ], dirty = '\147' .. pack(1, now) .. list(effects), seq, true
  call('XADD', KEYS[KEY_JOURNAL], string.format('%d-0', seq), 'e', concat(entry))
end
if dirty then
  write_counters()
  save(KEY_RESERVATIONS, put_reservations)
  save(KEY_REQUESTS, put_requests)
  if #put_outcomes > 0 then
    call('HSET', KEYS[KEY_OUTCOMES + meta[M_SLICE]], unpack(put_outcomes))
  end
  local changed = {}
  for number in pairs(touched_tenants) do
    changed[uids[number]] = pack(tenants[number])
  end
  save(KEY_TENANTS, changed)
  write_due()
  if trim_to then
    call('XTRIM', KEYS[KEY_JOURNAL], 'MINID', '=', string.format('%d-0', trim_to))
  end
  call('SET', KEYS[KEY_META], pack(meta))
end
out[1] = '\154' .. pack(1, 0, now, meta[M_SEQ], meta[M_FLUSHED], meta[M_RESERVATIONS], meta[M_COUNTERS], meta[M_INCARNATION])
  .. list(operations_count)
out[#out + 1] = '\1'
return concat(out)
