-- The working set: what this call has read of the partition and what it will write. Verbs change it in memory, so that
-- what one operation does is what the next one sees; `store.write` puts all of it into Redis at the end.
--
-- `store.prefetch` reads what a batch names with one HMGET a hash; what it did not foresee is read one by one. Records
-- are shared: never change one in place. lib/counters.lua and lib/kept.lua have the rest of `store`.

-- The partition's state (by lib/guard.lua), the time (by lib/clock.lua), the batch's plans and caps (by batch.lua).
store.meta, store.now, store.plans, store.caps = false, 0, false, false
-- Whether anything is to be written at all.
store.dirty = false

do
  local call, pack_message = redis.call, cmsgpack.pack
  -- Keys to unlink, the journal's least entry to keep.
  local unlinked, trim_to = {}, false

  -- Reads the open reservations of these keys, and what a settlement of them touches: their counters and request ids.
  function store.prefetch_reservations(keys)
    store.fetch_reservations(keys)
    local wanted, asked, seen = {}, {}, {}
    for _, key in ipairs(keys) do
      local record = not seen[key] and store.reservation(key)
      seen[key] = true
      if record then
        for _, charge in ipairs(record[R_CHARGES]) do
          for _, level in ipairs(charge[C_LEVELS]) do
            wanted[#wanted + 1] = level[L_ACCOUNT] .. charge[C_METER]
          end
        end
        for _, request in ipairs(record[R_REQUESTS]) do
          asked[#asked + 1] = request
        end
      end
    end
    if #wanted > 0 then
      store.fetch_counters(wanted)
    end
    if #asked > 0 then
      store.fetch_requests(asked)
    end
  end

  -- Reads what a batch of operations names.
  function store.prefetch(operations)
    local uids, new, settled, asked, fields, planned = {}, {}, {}, {}, {}, {}
    for _, operation in ipairs(operations) do
      local verb, request = operation[O_VERB], operation[O_REQUEST]
      if verb <= VERB_GET or verb == VERB_ADJUST then
        uids[#uids + 1] = operation[O_TENANT]
        if verb == VERB_RESERVE then
          local key = operation[8][R_KEY]
          -- An id that the server made is looked up only where a request id leads to it: the same call sent again.
          if operation[11] == 0 then
            new[#new + 1] = key
            fields[#fields + 1] = 'r' .. key
          end
        elseif verb > VERB_RESERVE and verb <= VERB_GET and verb ~= VERB_FREE_AMOUNTS then
          settled[#settled + 1] = operation[8]
        end
        if request ~= '' then
          asked[#asked + 1] = request
          fields[#fields + 1] = 'q' .. request
          fields[#fields + 1] = 'd' .. request
        end
      end
    end
    for number, plan in ipairs(store.plans) do
      planned[number] = plan[B_KEY]
    end
    if #planned > 0 then
      store.fetch_counters(planned)
    end
    if #uids > 0 then
      store.fetch_tenants(uids)
    end
    if #new > 0 then
      store.fetch_reservations(new)
    end
    if #asked > 0 then
      store.fetch_requests(asked)
    end
    if #fields > 0 then
      store.fetch_outcomes(fields)
    end
    if #settled > 0 then
      store.prefetch_reservations(settled)
    end
  end

  -- Unlinks a key in the write phase.
  function store.unlink(key)
    unlinked[#unlinked + 1] = KEYS[key]
    store.dirty = true
  end

  -- Lets the journal go before entry `seq` in the write phase.
  function store.trim(seq)
    trim_to = seq
    store.dirty = true
  end

  -- Writes everything: the journal entry first, `meta` last. Nothing here can fail once the entry is written.
  function store.write()
    if not store.dirty then
      return
    end
    journal.write()
    for _, key in ipairs(unlinked) do
      call('UNLINK', key)
    end
    store.write_counters()
    cache.save('reservations', KEY_RESERVATIONS, function(entry)
      return entry.packed
    end)
    cache.save('requests', KEY_REQUESTS, function(entry)
      return entry.packed
    end)
    cache.save('outcomes', KEY_OUTCOMES + store.meta[M_SLICE], function(entry)
      return pack_message(entry.value)
    end)
    cache.save('tenants', KEY_TENANTS, fixed.tenant)
    cache.save('seconds', KEY_DEADLINES, function(_, field)
      return store.second(field)
    end)
    if trim_to then
      call('XTRIM', KEYS[KEY_JOURNAL], 'MINID', '=', string.format('%d-0', trim_to))
    end
    call('SET', KEYS[KEY_META], fixed.meta(store.meta))
  end
end
