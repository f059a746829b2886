-- What a partition remembers of ids: open reservations whole (lib/store.lua), what has ended for ten minutes and a
-- denial for two, in three slices of time of which the oldest goes as a whole (the twin of
-- `store/embedded/{ids,step}.rs`).

do
  -- How long the outcome of what has ended stays, and a denial, in milliseconds.
  local REMEMBER, REMEMBER_DENIAL = 600000, 120000
  -- Denials that a slice keeps at most; further ones are not remembered.
  local MAX_DENIALS = 100000
  -- Request ids that one open reservation keeps; older ones are forgotten like those of what has ended.
  local MAX_REQUESTS = 256

  -- Until when something that ended now is remembered: to the whole second.
  local function remembered_until()
    local time = store.now + REMEMBER
    return time + (1000 - time % 1000) % 1000
  end

  local function counts(seq, until_time)
    return until_time > store.now or seq > store.meta[M_FLUSHED]
  end

  local function put(field, seq, outcome)
    local meta = store.meta
    store.put_outcome(field, outcome)
    local slice = meta[M_SLICE] + 1
    meta[M_SLICE_SEQS][slice] = math.max(meta[M_SLICE_SEQS][slice], seq)
  end

  -- Makes the oldest slice the current one, once the one before it is old enough and the ledger has what it remembers.
  function ids.rotate()
    local meta = store.meta
    local oldest = (meta[M_SLICE] + 1) % 3
    if store.now - meta[M_SLICE_AT] < REMEMBER or meta[M_SLICE_SEQS][oldest + 1] > meta[M_FLUSHED] then
      return
    end
    store.unlink(KEY_OUTCOMES + oldest)
    meta[M_SLICE_SEQS][oldest + 1], meta[M_SLICE_DENIALS][oldest + 1] = 0, 0
    meta[M_SLICE], meta[M_SLICE_AT] = oldest, store.now
  end

  -- The outcome of a reservation that has ended, {fingerprint, seq, until}, or nil.
  function ids.ended(key)
    local outcome = store.outcome('r' .. key)
    return outcome and counts(outcome[2], outcome[3]) and outcome or nil
  end

  -- What became of a request, {fingerprint, reservation or "", amounts, seq}, or nil.
  function ids.request(key)
    local known = store.request(key)
    if known then
      return known
    end
    local outcome = store.outcome('q' .. key)
    return outcome and counts(outcome[4], outcome[5]) and outcome or nil
  end

  -- A denial of a request, {fingerprint, until, denial}, or nil.
  function ids.denial(key)
    local outcome = store.outcome('d' .. key)
    return outcome and outcome[2] > store.now and outcome or nil
  end

  -- Whether an id that is not here may nevertheless have been used: then only the ledger remembers it.
  function ids.may_be_unknown()
    return store.now < store.meta[M_IDS_COMPLETE] + REMEMBER
  end

  -- Remembers a denial (packed) of an operation that has a request id, unless there are too many.
  function ids.remember_denial(operation, denial)
    local request, denials = operation[O_REQUEST], store.meta[M_SLICE_DENIALS]
    local slice = store.meta[M_SLICE] + 1
    if request ~= '' and denials[slice] < MAX_DENIALS then
      denials[slice] = denials[slice] + 1
      store.put_outcome('d' .. request, {operation[O_FINGERPRINT], store.now + REMEMBER_DENIAL, denial})
    end
  end

  -- Remembers a request by its stamp; while its reservation is open it stays.
  function ids.remember_request(stamp, seq, open)
    local key = stamp[1]
    if open then
      store.put_request(key, {stamp[2], stamp[3], stamp[4], seq})
      return
    end
    if store.request(key) then
      store.put_request(key, nil)
    end
    put('q' .. key, seq, {stamp[2], stamp[3], stamp[4], seq, remembered_until()})
  end

  -- A request of a reservation that is open no longer, or has too many: it stays for as long as an outcome does.
  local function end_request(key)
    local known = store.request(key)
    if known then
      store.put_request(key, nil)
    else
      known = ids.request(key)
    end
    local until_time = remembered_until()
    if known and known[5] ~= until_time then
      put('q' .. key, known[4], {known[1], known[2], known[3], known[4], until_time})
    end
  end

  -- A reservation has ended, or changed after its end: only its outcome stays, and those of its requests.
  function ids.remember_end(record, seq)
    put('r' .. record[R_KEY], seq, {record[R_FINGERPRINT], seq, remembered_until()})
    for _, request in ipairs(record[R_REQUESTS]) do
      end_request(request)
    end
  end

  -- Adds a request id to a record that nobody has seen yet, bounded: a heartbeat must not make it grow for ever.
  function ids.add_request(record, key)
    local before, requests = record[R_REQUESTS], {}
    local first = 1
    if #before >= MAX_REQUESTS then
      end_request(before[1])
      first = 2
    end
    for place = first, #before do
      requests[#requests + 1] = before[place]
    end
    requests[#requests + 1] = key
    record[R_REQUESTS] = requests
  end

  -- A miss of identities; either key may be "".
  function ids.miss(reservation, request, flushed_to)
    return {IS_MISS, reservation, request, flushed_to, {}}
  end

  -- The reservation of that key, open here or as the ledger has it: its record, the entry that it rests on, the record
  -- packed; or nil and the reply to give instead: a miss, or that nobody knows it.
  function ids.find(key, operation)
    local record, packed = store.reservation(key)
    if record then
      return record, journal.head(), packed
    end
    local ended = ids.ended(key)
    local seq = ended and ended[2] or 0
    local known = operation[O_KNOWN]
    local answer = known and known[K_RESERVATION]
    if not answer or seq > known[K_AS_OF] then
      return nil, ids.miss(key, '', seq)
    elseif answer == '' then
      return nil, {IS_REFUSED, RULE_NOT_FOUND, -1, ''}
    end
    return answer, seq, cmsgpack.pack(answer)
  end

  -- The first verdict with the reservation's present state.
  function ids.replayed(operation, record, seq, packed)
    local verb = operation[O_VERB]
    if verb == VERB_EXTEND then
      return {IS_EXTENDED, 1, seq, packed, false}
    elseif verb == VERB_FREE then
      local amounts = {}
      for index, charge in ipairs(record[R_CHARGES]) do
        amounts[index] = charge[C_FREED]
      end
      return {IS_FREED, 1, seq, packed, amounts}
    end
    return {IS_RESERVATION, 1, seq, packed, false}
  end

  local function replay_denial(operation, outcome)
    if outcome[1] ~= operation[O_FINGERPRINT] then
      return {IS_REFUSED, RULE_ID_REUSED, -1, ''}
    elseif operation[O_VERB] ~= VERB_EXTEND then
      return {IS_DENIED, 1, outcome[3]}
    end
    local record, seq, packed = ids.find(operation[8], operation)
    return record and {IS_EXTENDED, 1, seq, packed, outcome[3]} or seq
  end

  -- The answer to a repeated request id, or nil if the id is new.
  function ids.replay_request(operation)
    local key = operation[O_REQUEST]
    if key == '' then
      return nil
    end
    local denied = ids.denial(key)
    if denied then
      return replay_denial(operation, denied)
    end
    local outcome, from_seq = ids.request(key), 0
    if outcome then
      from_seq = outcome[4]
    else
      outcome = operation[O_KNOWN] and operation[O_KNOWN][K_REQUEST]
      if outcome == '' then
        return nil
      elseif not outcome then
        -- A Free by amount, or an Adjust, has no reservation that would tell a repeat: the ledger does, also long after.
        local verb = operation[O_VERB]
        if ids.may_be_unknown() or verb == VERB_FREE_AMOUNTS or verb == VERB_ADJUST then
          return ids.miss('', key, 0)
        end
        return nil
      end
    end
    if outcome[1] ~= operation[O_FINGERPRINT] then
      return {IS_REFUSED, RULE_ID_REUSED, -1, ''}
    elseif outcome[2] == '' then
      return {IS_FREED, 1, from_seq, '', outcome[3]}
    end
    local record, seq, packed = ids.find(outcome[2], operation)
    if not record then
      return seq
    end
    return ids.replayed(operation, record, math.max(seq, from_seq), packed)
  end

  -- The answer if the reservation id of a Reserve or Consume was used before, or nil if it is new.
  function ids.replay_reservation(operation, template, fresh)
    if fresh == 1 then
      return nil
    end
    local key, fingerprint = template[R_KEY], template[R_FINGERPRINT]
    local open = store.reservation(key)
    local used = open and open[R_FINGERPRINT]
    if not used then
      local ended = ids.ended(key)
      used = ended and ended[1]
    end
    local answer = operation[O_KNOWN] and operation[O_KNOWN][K_RESERVATION]
    if used then
      if used ~= fingerprint then
        return {IS_REFUSED, RULE_ID_REUSED, -1, ''}
      end
      local record, seq, packed = ids.find(key, operation)
      return record and ids.replayed(operation, record, seq, packed) or seq
    elseif not answer then
      return ids.may_be_unknown() and ids.miss(key, '', 0) or nil
    elseif answer == '' then
      return nil
    elseif answer[R_FINGERPRINT] ~= fingerprint then
      return {IS_REFUSED, RULE_ID_REUSED, -1, ''}
    end
    return ids.replayed(operation, answer, 0, cmsgpack.pack(answer))
  end
end
