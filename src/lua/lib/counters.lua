-- The counters and tenants of the working set: two generations of counters, of which a touched one is written to the
-- current, and what is known of each tenant. Fills `store`.

do
  local counters, tenants = cache.counters, cache.tenants
  -- Fields to remove from the old generation.
  local stale = {}

  -- Reads tenants: {version, open, counters, generation's time, how many of the counters are in the old generation}.
  function store.fetch_tenants(uids)
    local meta = store.meta
    cache.fetch('tenants', KEY_TENANTS, uids, function(packed)
      local known = cmsgpack.unpack(packed)
      local at = known[4] or meta[M_GENERATION_AT]
      known[5] = known[5] or 0
      if at ~= meta[M_GENERATION_AT] then
        -- The generations changed places since: what was in the old one is gone, what was in the current one is in the old
        -- one. If they did so twice too much is counted, until they do so again.
        known[3] = math.max(known[3] - known[5], 0)
        known[5] = known[3]
      end
      known[4] = meta[M_GENERATION_AT]
      return known
    end)
  end

  -- What is known of a tenant.
  function store.tenant(uid)
    if tenants[uid] == nil then
      store.fetch_tenants({uid})
    end
    if not tenants[uid] then
      tenants[uid] = {0, 0, 0, store.meta[M_GENERATION_AT], 0}
    end
    return tenants[uid]
  end

  -- Says that it was changed.
  function store.touch_tenant(uid)
    cache.touch('tenants', uid, tenants[uid])
  end

  local function generation_key(old)
    local current = store.meta[M_GENERATION]
    return KEY_COUNTERS + (old and 1 - current or current)
  end

  -- Reads counters, of the current generation first.
  function store.fetch_counters(keys)
    cache.fetch_layers('counters', {generation_key(false), generation_key(true)}, keys, function(raw, layer)
      return {raw = raw, old = layer == 2}
    end)
  end

  -- The entry of a counter, {value, ...}, or false.
  function store.counter(key)
    local entry = counters[key]
    if entry == nil then
      store.fetch_counters({key})
      entry = counters[key]
    end
    if entry and not entry.value then
      entry.value = value.decode(entry.raw)
    end
    return entry
  end

  -- Puts in a counter that is not there yet.
  function store.insert_counter(tenant, key, fresh)
    local entry = {value = fresh}
    counters[key] = entry
    cache.touch('counters', key, entry)
    local known = store.tenant(tenant)
    known[3] = known[3] + 1
    store.touch_tenant(tenant)
    store.meta[M_COUNTERS] = store.meta[M_COUNTERS] + 1
    return entry
  end

  -- Says that a counter's value was changed. One of the old generation moves to the current one, also in its tenant's
  -- count (nil: nobody knows whose it is).
  function store.touch_counter(tenant, key, entry)
    entry.raw = nil
    if entry.old and tenant and not entry.dirty then
      local known = store.tenant(tenant)
      known[5] = math.max(known[5] - 1, 0)
      store.touch_tenant(tenant)
    end
    cache.touch('counters', key, entry)
  end

  -- A counter's value as bytes.
  function store.packed_counter(entry)
    if not entry.raw then
      return value.encode(entry.value)
    end
    return entry.raw
  end

  -- Adds a change to a counter that may be loaded or not, and notes it for one that is being loaded. Amounts are the
  -- whole and the top-up's part of it. Says whether a figure was cut to its range.
  function store.shift(tenant, key, at, used, used_top_up, held, held_top_up, own)
    local entry = store.counter(key)
    if not entry then
      return false
    end
    if entry.value.loading then
      counter.note(entry.value, store.meta[M_SEQ] + 1, at, used, used_top_up, held, held_top_up, own)
    end
    store.touch_counter(tenant, key, entry)
    return counter.shift(entry.value, at, store.now, used, used_top_up, held, held_top_up, own)
  end

  -- Begins to note what changes on a counter that is not loaded, if nobody did yet. Answers the journal entry up to
  -- which the ledger must have everything before it is asked.
  function store.begin_loading(tenant, key)
    local entry = store.counter(key)
    if not entry then
      entry = store.insert_counter(tenant, key, value.empty(false))
    end
    if not entry.value.loading then
      entry.value.loading = {since = journal.head(), notes = {}}
      store.touch_counter(tenant, key, entry)
    end
    return entry.value.loading.since
  end

  -- The entry of a counter of the old generation, of which `raw` was just read there; nil if it has gone already.
  function store.old_counter(key, raw)
    local entry = counters[key]
    if entry == nil then
      entry = {raw = raw, old = true}
      counters[key] = entry
    end
    return entry and entry.old and not entry.dirty and store.counter(key) or nil
  end

  -- The old generation is empty: the two change places. What was touched in this very millisecond is in the old one.
  function store.swap_generations()
    local meta = store.meta
    meta[M_GENERATION], meta[M_GENERATION_AT] = 1 - meta[M_GENERATION], store.now + 1
    for _, entry in pairs(counters) do
      if entry then
        entry.old = true
      end
    end
    for _, known in pairs(tenants) do
      if known then
        known[4], known[5] = meta[M_GENERATION_AT], known[3]
      end
    end
    store.dirty = true
  end

  -- Removes counters from the old generation in the write phase.
  function store.drop_old_counters(keys)
    for _, key in ipairs(keys) do
      stale[#stale + 1] = key
      counters[key] = false
    end
    store.dirty = true
  end

  -- Writes the counters that were changed into the current generation, in the write phase.
  function store.write_counters()
    cache.save('counters', generation_key(false), function(entry, key)
      if entry.old then
        stale[#stale + 1] = key
      end
      return entry.raw or value.encode(entry.value)
    end)
    cache.remove(generation_key(true), stale)
  end
end
