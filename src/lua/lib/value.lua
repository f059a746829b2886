-- A counter's value as bytes and back, in the form that README.md gives ("A counter's value").
--
-- In memory: {known, cut, used, held, own, windows, loading}; `used` and `held` are the top-up's. A window: {id, kind,
-- planned} with {start, stop, used, held}, or {step, buckets = {{index, used, held}, ...}}, or {length, limit, backlog,
-- at}. loading: {since, notes = {{seq, effective, used in period, used in top-up, held in period, held in top-up, own},
-- ...}}.

local value = {}

do
  local pack, unpack_ = struct.pack, struct.unpack
  local concat, byte = table.concat, string.byte
  local FORMAT, PLANNED = 1, 128

  -- A value of which nothing is known.
  function value.empty(known)
    return {known = known, cut = false, used = 0, held = 0, own = 0, windows = {}, loading = false}
  end

  local function decode_buckets(raw, at, window)
    local step, count
    step, count, at = unpack_('<dI2', raw, at)
    local buckets = {}
    for number = 1, count do
      local index, used, held
      index, used, held, at = unpack_('<ddd', raw, at)
      buckets[number] = {index, used, held}
    end
    window.step, window.buckets = step, buckets
    return at
  end

  local function decode_loading(raw, at)
    local since, count
    since, count, at = unpack_('<dI2', raw, at)
    local notes = {}
    for number = 1, count do
      local note = {unpack_('<ddddddB', raw, at)}
      at = note[8]
      note[8] = nil
      notes[number] = note
    end
    return {since = since, notes = notes}
  end

  -- From bytes.
  function value.decode(raw)
    local format, flags, used, held, own, count, at = unpack_('<BBdddB', raw)
    if format ~= FORMAT then
      error('a counter of format ' .. format .. ', which this script does not read')
    end
    local windows = {}
    for number = 1, count do
      local kind = byte(raw, at + 8)
      local planned = kind >= PLANNED
      if planned then
        kind = kind - PLANNED
      end
      if kind == GAUGE_SLIDING then
        local window = {id = raw:sub(at, at + 7), kind = kind, planned = planned}
        at = decode_buckets(raw, at + 9, window)
        windows[number] = window
      else
        local id, _, a, b, c, d, after = unpack_('<c8Bdddd', raw, at)
        at = after
        if kind == GAUGE_PERIOD then
          windows[number] = {id = id, kind = kind, planned = planned, start = a, stop = b, used = c, held = d}
        else
          windows[number] = {id = id, kind = kind, planned = planned, length = a, limit = b, backlog = c, at = d}
        end
      end
    end
    local loading = flags >= 4 and decode_loading(raw, at)
    return {
      known = flags % 2 == 1, cut = flags % 4 >= 2, used = used, held = held, own = own, windows = windows,
      loading = loading,
    }
  end

  -- To bytes.
  function value.encode(counter)
    local flags, windows, loading = 0, counter.windows, counter.loading
    if counter.known then
      flags = 1
    end
    if counter.cut then
      flags = flags + 2
    end
    if loading then
      flags = flags + 4
    end
    local parts = {pack('<BBdddB', FORMAT, flags, counter.used, counter.held, counter.own, #windows)}
    for _, window in ipairs(windows) do
      local kind = window.planned and window.kind + PLANNED or window.kind
      if window.kind == GAUGE_PERIOD then
        parts[#parts + 1] = pack('<c8Bdddd', window.id, kind, window.start, window.stop, window.used, window.held)
      elseif window.kind == GAUGE_RATE then
        parts[#parts + 1] = pack('<c8Bdddd', window.id, kind, window.length, window.limit, window.backlog, window.at)
      else
        parts[#parts + 1] = pack('<c8BdI2', window.id, kind, window.step, #window.buckets)
        for _, bucket in ipairs(window.buckets) do
          parts[#parts + 1] = pack('<ddd', bucket[1], bucket[2], bucket[3])
        end
      end
    end
    if loading then
      parts[#parts + 1] = pack('<dI2', loading.since, #loading.notes)
      for _, note in ipairs(loading.notes) do
        parts[#parts + 1] = pack('<ddddddB', note[1], note[2], note[3], note[4], note[5], note[6], note[7])
      end
    end
    return concat(parts)
  end
end
