-- The reservations, requests, outcomes and deadlines of the working set. Fills `store`.

do
  local unpack_message, pack_message = cmsgpack.unpack, cmsgpack.pack
  local reservations, requests, outcomes, seconds = cache.reservations, cache.requests, cache.outcomes, cache.seconds

  -- Reads open reservations.
  function store.fetch_reservations(keys)
    cache.fetch('reservations', KEY_RESERVATIONS, keys, function(packed)
      return {packed = packed}
    end)
  end

  -- The record of an open reservation and the same packed, or nil.
  function store.reservation(key)
    local entry = reservations[key]
    if entry == nil then
      store.fetch_reservations({key})
      entry = reservations[key]
    end
    if not entry or not entry.packed then
      return nil
    end
    if not entry.record then
      entry.record = unpack_message(entry.packed)
    end
    return entry.record, entry.packed
  end

  -- Keeps the new state of an open reservation.
  function store.put_reservation(record, packed)
    local key = record[R_KEY]
    local entry = cache.entry('reservations', key)
    entry.record, entry.packed = record, packed
    cache.touch('reservations', key, entry)
  end

  -- Removes a reservation that has ended.
  function store.drop_reservation(key)
    local entry = cache.entry('reservations', key)
    entry.record, entry.packed = nil, nil
    cache.touch('reservations', key, entry)
  end

  -- Counts one more, or one less (`by` is 1 or -1), open reservation of a tenant.
  function store.count_open(tenant, by)
    local known = store.tenant(tenant)
    known[2] = math.max(known[2] + by, 0)
    store.touch_tenant(tenant)
    store.meta[M_RESERVATIONS] = math.max(store.meta[M_RESERVATIONS] + by, 0)
  end

  -- Reads requests.
  function store.fetch_requests(keys)
    cache.fetch('requests', KEY_REQUESTS, keys, function(packed)
      return {packed = packed}
    end)
  end

  -- {fingerprint, reservation, amounts, seq} of a request key that belongs to an open reservation, or nil.
  function store.request(key)
    local entry = requests[key]
    if entry == nil then
      store.fetch_requests({key})
      entry = requests[key]
    end
    if not entry or not entry.packed then
      return nil
    end
    entry.value = entry.value or unpack_message(entry.packed)
    return entry.value
  end

  -- Keeps it, or removes it (`known` is nil).
  function store.put_request(key, known)
    local entry = cache.entry('requests', key)
    entry.value, entry.packed = known, known and pack_message(known)
    cache.touch('requests', key, entry)
  end

  -- Reads outcomes, of the slices from the current one to the oldest; empty ones are not asked.
  function store.fetch_outcomes(fields)
    local meta, keys = store.meta, {}
    for age = 0, 2 do
      local slice = (meta[M_SLICE] - age) % 3
      if meta[M_SLICE_SEQS][slice + 1] > 0 or meta[M_SLICE_DENIALS][slice + 1] > 0 then
        keys[#keys + 1] = KEY_OUTCOMES + slice
      end
    end
    cache.fetch_layers('outcomes', keys, fields, function(packed)
      return {value = unpack_message(packed)}
    end)
  end

  -- An outcome by its letter and id, as unpacked, or nil.
  function store.outcome(field)
    local entry = outcomes[field]
    if entry == nil then
      store.fetch_outcomes({field})
      entry = outcomes[field]
    end
    return entry and entry.value or nil
  end

  -- Keeps an outcome in the current slice.
  function store.put_outcome(field, outcome)
    local entry = cache.entry('outcomes', field)
    entry.value = outcome
    cache.touch('outcomes', field, entry)
  end

  -- Reads the fields of some seconds.
  function store.fetch_seconds(fields)
    cache.fetch('seconds', KEY_DEADLINES, fields, function(text)
      return {text = text}
    end)
  end

  -- The text of a field of `deadlines`, or nil.
  function store.second(field)
    local entry = seconds[field]
    if entry == nil then
      store.fetch_seconds({field})
      entry = seconds[field]
    end
    if not entry then
      return nil
    end
    if entry.added then
      entry.text = (entry.text or '') .. table.concat(entry.added)
      entry.added = nil
    end
    return entry.text
  end

  -- Adds to the end of a field; answers how long it is then. What was added is put together when it is read or written.
  function store.append_second(field, text)
    local entry = seconds[field]
    if entry == nil then
      store.fetch_seconds({field})
    end
    entry = cache.entry('seconds', field)
    local added = entry.added
    if not added then
      added = {}
      entry.added, entry.length = added, #(entry.text or '')
    end
    added[#added + 1] = text
    entry.length = entry.length + #text
    cache.touch('seconds', field, entry)
    return entry.length
  end

  -- Sets it, or removes it (`text` is nil).
  function store.put_second(field, text)
    local entry = cache.entry('seconds', field)
    entry.text, entry.added = text, nil
    cache.touch('seconds', field, entry)
  end
end
