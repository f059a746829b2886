-- The journal: one entry a call that changed anything, numbered densely, with an effect for each operation that did.

do
  local FORMAT = 1
  local effects = {}

  -- The number of the entry that what is open now rests on: this call's own, if it has done anything yet.
  function journal.head()
    local seq = store.meta[M_SEQ]
    return #effects > 0 and seq + 1 or seq
  end

  -- A request's stamp, {key, fingerprint, reservation or "", amounts}, or false for an operation without a request id.
  function journal.stamp(operation, reservation, amounts)
    local key = operation[O_REQUEST]
    return key ~= '' and {key, operation[O_FINGERPRINT], reservation, amounts or {}} or false
  end

  -- A change as a line: what a charge, which has it effective at `at`, changed on the levels of its path.
  function journal.line(change, at)
    return {change[1] - 1, at, change[2], change[3], change[4], change[D_PRICE]}
  end

  -- Adds an effect and remembers its request. `stamp` may be false, `packed` (the record afterwards) "", `static` and
  -- `charges` are of a Free by amount. Answers the number of the entry.
  function journal.record(kind, tenant, stamp, packed, open, lines, static, charges)
    local seq = store.meta[M_SEQ] + 1
    local version = store.tenant(tenant)[1]
    effects[#effects + 1] = {tenant, version, kind, stamp, packed, lines, static or '', charges or false}
    store.dirty = true
    if stamp then
      ids.remember_request(stamp, seq, open)
    end
    return seq
  end

  -- The entry, the first thing that is written.
  function journal.write()
    if #effects > 0 then
      local seq = store.meta[M_SEQ] + 1
      local entry = cmsgpack.pack({FORMAT, store.now, effects})
      redis.call('XADD', KEYS[KEY_JOURNAL], string.format('%d-0', seq), 'e', entry)
      store.meta[M_SEQ] = seq
    end
  end
end
