-- tidy: forgets counters that nobody touched for an idle time and that hold nothing. A touched counter is written to
-- the current generation, so what is still in the old one is idle once the current one is old enough. A bounded number
-- of them go each call, those that hold something or are being loaded move on; when the old one is empty the two change
-- places.
--
-- Arguments from 8 on: idle time in milliseconds. Reply: {13, how many are gone}. Example:
--   {14, "", 0, "", "", false, false, 604800000} -> {13, 256}

local tidy = {}

do
  -- Counters that a call looks at, roughly; a small generation is read at once.
  local BATCH = 256

  local function old_counters(key)
    local count = redis.call('HLEN', key)
    if count <= BATCH then
      return redis.call('HGETALL', key), count
    end
    local cursor, found = '0', {}
    -- A scan may come back with nothing; it is asked a bounded number of times.
    for _ = 1, 8 do
      local reply = redis.call('HSCAN', key, cursor, 'COUNT', BATCH)
      cursor, found = reply[1], reply[2]
      if #found > 0 or cursor == '0' then
        break
      end
    end
    return found, count
  end

  function tidy.run(operation)
    local meta = store.meta
    if store.now - meta[M_GENERATION_AT] < operation[8] then
      return {IS_DONE, 0}
    end
    local fields, count = old_counters(KEYS[KEY_COUNTERS + 1 - meta[M_GENERATION]])
    local gone = {}
    for place = 1, #fields, 2 do
      local key = fields[place]
      local entry = store.old_counter(key, fields[place + 1])
      if entry and (entry.value.loading or counter.holds(entry.value)) then
        store.touch_counter(nil, key, entry)
      elseif entry then
        gone[#gone + 1] = key
      end
    end
    if #gone > 0 then
      -- Every use from the time at which the current generation began is in it.
      meta[M_COMPLETE] = math.max(meta[M_COMPLETE], meta[M_GENERATION_AT])
      meta[M_COUNTERS] = math.max(meta[M_COUNTERS] - #gone, 0)
      store.drop_old_counters(gone)
    elseif count == 0 then
      store.swap_generations()
    end
    return {IS_DONE, #gone}
  end
end
