-- Deadlines by the second. A field of `deadlines` is a second (as text) and has the keys of the reservations that end
-- then, 16 bytes each, the newest last. Every 64 of them move on to a field `second:1`, `second:2` ..., so that a full
-- second costs no more than an empty one; the second's own field then begins with how many such there are (`<I4`).

local deadlines = {}

do
  local KEY = 16
  local PIECE = 64 * KEY
  -- Seconds that are read at once, and how many such stretches a call looks at.
  local STRETCH, STRETCHES = 256, 4
  local WORTH_WRITING = 64
  -- Up to so many fields are listed to find the next second after a long gap.
  local LISTED = 4096

  local function field_of(second)
    return string.format('%d', second)
  end

  -- How many full pieces a second has, and the keys in its own field.
  local function parts(text)
    if not text then
      return 0, ''
    elseif #text % KEY == 0 then
      return 0, text
    end
    return struct.unpack('<I4', text), text:sub(5)
  end

  local function put(field, full, keys)
    if full > 0 then
      store.put_second(field, struct.pack('<I4', full) .. keys)
    else
      store.put_second(field, #keys > 0 and keys or nil)
    end
  end

  -- The first whole second that is not before a time.
  function deadlines.second(time)
    return amount.ceil_div(time, 1000)
  end

  -- Has a reservation looked at once its deadline has passed.
  function deadlines.insert(time, key)
    local second = deadlines.second(time)
    local field = field_of(second)
    if store.append_second(field, key) >= PIECE then
      local full, keys = parts(store.second(field))
      if #keys >= PIECE then
        store.put_second(field .. ':' .. field_of(full + 1), keys)
        put(field, full + 1, '')
      end
    end
    local meta = store.meta
    if second < meta[M_CURSOR] then
      meta[M_CURSOR] = second
    end
  end

  -- Takes keys of one second, the newest first, until there are `limit`. Whether the second is empty now.
  local function take_second(second, keys, limit)
    local field = field_of(second)
    local text = store.second(field)
    while text and #keys < limit do
      local full, own = parts(text)
      if own == '' and full > 0 then
        local piece = field .. ':' .. field_of(full)
        own = store.second(piece) or ''
        store.put_second(piece, nil)
        full = full - 1
      end
      local first = math.max(#own - (limit - #keys) * KEY, 0)
      for at = #own - KEY, first, -KEY do
        keys[#keys + 1] = own:sub(at + 1, at + KEY)
      end
      own = own:sub(1, first)
      put(field, full, own)
      text = store.second(field)
    end
    return not text
  end

  -- After a long gap: the next second that has a field, or `after` if none is before that.
  local function next_second(from, after)
    local count = redis.call('HLEN', KEYS[KEY_DEADLINES])
    if count == 0 then
      return after
    elseif count > LISTED then
      return from
    end
    local least = after
    for _, field in ipairs(redis.call('HKEYS', KEYS[KEY_DEADLINES])) do
      local second = tonumber(field)
      if second and second >= from and second < least then
        least = second
      end
    end
    return least
  end

  local function read_stretch(from, to)
    local fields = {}
    for second = from, to do
      fields[#fields + 1] = field_of(second)
    end
    store.fetch_seconds(fields)
  end

  -- Takes at most `limit` keys whose second has come, and moves the cursor on.
  function deadlines.take(limit)
    local meta, keys = store.meta, {}
    local first, last = meta[M_CURSOR], amount.floor_div(store.now, 1000)
    for _ = 1, STRETCHES do
      local cursor = meta[M_CURSOR]
      if cursor > last or #keys >= limit then
        break
      end
      if last - cursor >= STRETCH then
        cursor = next_second(cursor, last + 1)
      end
      local stop = math.min(last, cursor + STRETCH - 1)
      read_stretch(cursor, stop)
      while cursor <= stop and take_second(cursor, keys, limit) do
        cursor = cursor + 1
      end
      meta[M_CURSOR] = cursor
    end
    -- Empty seconds are not worth a write; many of them are not worth being looked at again.
    if meta[M_CURSOR] - first >= WORTH_WRITING then
      store.dirty = true
    end
    return keys
  end

  -- Whether more are due.
  function deadlines.is_due()
    return store.meta[M_CURSOR] <= amount.floor_div(store.now, 1000)
  end
end
