-- The quick way of a whole batch (README.md, "The quick way"): writes what it changed. Arguments: ARGV[1]. Reply: as batch.lua gives
-- it, with a tenth item, 1; or "" before anything was written, if the batch was given up.
-- Example: a Check of one counter -> {1, 0, 1700000000000, 42, 40, 1, 2, 3, {{2, {"\1\1..."}}}, 1}

-- The journal entry first, `meta` last.
if effects > 0 then
  dirty = true
  entry[1] = '\147\1' .. packed_now .. (effects < 16 and char(144 + effects) or write('>BI2', 220, effects))
  call('XADD', KEYS[KEY_JOURNAL], string.format('%d-0', seq), 'e', concat(entry, '', 1, entry_size))
else
  seq = seq - 1
end
-- Numbers that stand in `meta` and in the reply.
local times, counts = write('>BdBdBd', NUMBER, now, NUMBER, seq, NUMBER, flushed), sub(meta, 238, 255)
if dirty then
  local set, gone, size = {'', '', '', ''}, nil, 0
  for place = 1, keys_count do
    local counter = counters[place]
    local number = counter and counter[1]
    if number then
      local windows = counter[HEAD]
      if windows ~= known_windows then
        counter_form, known_windows = '<I2c16dB' .. windows_form:rep(windows), windows
      end
      set[size + 1], set[size + 2] = keys[place], write(counter_form, unpack(counter, 2, HEAD + WINDOW * windows))
      size = size + 2
      -- A new one is counted, and one of the old generation moves.
      local tenant = (fresh or old) and tenants[number % 256]
      if fresh and fresh[place] then
        tenant[T_COUNTERS], counters_count, tenant[T_TOUCHED] = tenant[T_COUNTERS] + 1, counters_count + 1, true
      elseif old and old[place] then
        gone = gone or {}
        gone[#gone + 1], tenant[T_OLD], tenant[T_TOUCHED] = keys[place], tenant[T_OLD] > 0 and tenant[T_OLD] - 1 or 0, true
      end
    end
  end
  if size > 0 then
    call('HSET', KEYS[current], unpack(set, 1, size))
  end
  if gone then
    call('HDEL', KEYS[2 * KEY_COUNTERS + 1 - current], unpack(gone))
  end

  if put_reservations then
    call('HSET', KEYS[KEY_RESERVATIONS], unpack(put_reservations))
  end
  if settled_count > 0 then
    call('HDEL', KEYS[KEY_RESERVATIONS], unpack(settled_keys, 1, settled_count))
  end
  if put_requests then
    call('HSET', KEYS[KEY_REQUESTS], unpack(put_requests))
  end
  if asked_count > 0 then
    call('HDEL', KEYS[KEY_REQUESTS], unpack(asked, 1, asked_count))
  end
  if outcomes_size > 0 then
    call('HSET', KEYS[KEY_OUTCOMES + slice], unpack(put_outcomes, 1, outcomes_size))
  end
  if remembers then
    -- They stay until the ledger has the entry of this call.
    seqs_0, seqs_1, seqs_2 = slice == 0 and seq or seqs_0, slice == 1 and seq or seqs_1, slice == 2 and seq or seqs_2
  end

  size = 0
  for number = 1, tenants_count do
    local tenant = tenants[number]
    if tenant[T_TOUCHED] == true then
      set[size + 1], size = tenant[T_UID], size + 2
      set[size] = '\149' .. write('>BdBdBdBdBd', NUMBER, tenant[T_VERSION], NUMBER, tenant[T_OPEN], NUMBER, tenant[T_COUNTERS],
        NUMBER, tenant[T_SINCE], NUMBER, tenant[T_OLD])
    end
  end
  if size > 0 then
    call('HSET', KEYS[KEY_TENANTS], unpack(set, 1, size))
  end

  -- Has reservations looked at once their deadline has passed, as lib/deadlines.lua does.
  for item = 1, due and #due or 0, 2 do
    local second = due[item]
    local field = string.format('%d', second)
    local text = (call('HGET', KEYS[KEY_DEADLINES], field) or '') .. concat(due[item + 1])
    if #text < PIECE and #text % 16 == 0 then
      call('HSET', KEYS[KEY_DEADLINES], field, text)
    else
      local full, fields = 0, {field, ''}
      if #text % 16 ~= 0 then
        full, text = read('<I4', text), sub(text, 5)
      end
      while #text >= PIECE do
        full = full + 1
        fields[#fields + 1] = field .. ':' .. string.format('%d', full)
        fields[#fields + 1], text = sub(text, 1, PIECE), sub(text, PIECE + 1)
      end
      fields[2] = full > 0 and write('<I4', full) .. text or text
      call('HSET', KEYS[KEY_DEADLINES], unpack(fields))
    end
    cursor = second < cursor and second or cursor
  end
  if trim_to then
    call('XTRIM', KEYS[KEY_JOURNAL], 'MINID', '=', string.format('%d-0', trim_to))
  end
  -- What changed, and between it what did not.
  local outcomes = outcomes_size > 0 and sub(meta, 126, 172)
    .. write('>BBdBdBdBBdBdBd', 147, NUMBER, seqs_0, NUMBER, seqs_1, NUMBER, seqs_2, 147, NUMBER, denials_0, NUMBER, denials_1, NUMBER, denials_2)
    or sub(meta, 126, 228)
  counts = write('>BdBd', NUMBER, open_count, NUMBER, counters_count)
  call('SET', KEYS[KEY_META], sub(meta, 1, 98) .. times .. outcomes .. write('>Bd', NUMBER, cursor) .. counts)
end
out[1] = '\154\1\0' .. times .. counts .. sub(meta, 5, 13)
  .. (operations_count < 16 and char(144 + operations_count) or write('>BI2', 220, operations_count))
out[out_size + 1] = '\1'
return concat(out, '', 1, out_size + 1)
