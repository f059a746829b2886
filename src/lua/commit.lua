-- commit: turns what a reservation holds into what is used, in whatever state it is; one that nobody knows is recorded from
-- what the caller says, if that is complete.
--
-- Arguments from 8 on: key, listed, final (0, 1), record to recover by or false (the plan is then for it). Reply:
-- {1, replayed, seq, record (packed), false}, a refusal, a miss, {11, record (packed)} or {14, record (packed)}. Example:
--   {3, tenant, 0, request, fp, false, false, key, {{match, 4}}, 1, false} -> {1, 0, 42, "\154...", false}

local commit = {}

do
  -- Records a commit whose reservation neither store nor ledger knows: late, recovered, as of now.
  local function recover(operation, record, final)
    if not operation[O_PLAN] then
      return settle.refused(RULE_NOT_FOUND)
    end
    local parts, miss = admission.force(operation, record[R_CHARGES])
    if not parts then
      return miss
    end
    record[R_CREATE_TIME], record[R_EXPIRE_TIME] = store.now, store.now
    local changes = admission.deal(record, operation[O_PLAN], parts, true)
    settlement.raise_flag(record, FLAG_LATE)
    settlement.raise_flag(record, FLAG_RECOVERED)
    record[R_STATE] = final and COMMITTED or EXPIRED
    local seq, packed = admission.enter(operation, record, changes, KIND_COMMIT)
    return {IS_RESERVATION, 0, seq, packed, false}
  end

  -- Whether the ledger must tell if this is a repeat: a part adds to what is there, also long after its reservation ended.
  local function may_be_repeat(operation, before)
    local request, known = operation[O_REQUEST], operation[O_KNOWN]
    if request == '' or settlement.is_open(before) or (known and known[K_REQUEST]) then
      return false
    end
    return not ids.request(request)
  end

  -- What the commit lists, matched; or nil and the reply. The state is judged first, then the charges.
  local function judge(before, items, final, seq, packed)
    local matched, unmatched, index = listed.matched(before, items)
    local rule = settlement.not_committable(before)
    if matched and (not rule or (rule == RULE_COMMITTED and final)) and listed.needs_price(before, matched) then
      return nil, {IS_REPRICE, packed}
    elseif rule and matched and final and settlement.repeats_commit(before, matched, #items == 0) then
      return nil, {IS_RESERVATION, 1, seq, packed, false}
    elseif rule then
      return nil, settle.refused(rule, -1, packed)
    elseif not matched then
      return nil, settle.refused(unmatched, index)
    end
    return matched
  end

  function commit.run(operation)
    local key, items, final = operation[8], operation[9], operation[10] == 1
    local before, seq, packed = ids.find(key, operation)
    if not before then
      local reply = seq
      if reply[1] == IS_REFUSED and operation[11] then
        return recover(operation, operation[11], final)
      end
      return reply
    elseif not final and may_be_repeat(operation, before) then
      return ids.miss('', operation[O_REQUEST], 0)
    end
    local matched, judged = judge(before, items, final, seq, packed)
    if not matched then
      return judged
    end
    local needed = settlement.needs_room(before, matched) or (final and settlement.needs_left(before, matched))
    if needed and not operation[O_PLAN] then
      return {IS_NEED_PLAN, packed}
    end
    -- One that comes with a plan that is not for the recovery: an account was moved, and those above it may not be loaded.
    local counters = {}
    if needed or (operation[O_PLAN] and not operation[11]) then
      counters = settle.planned(operation[O_PLAN])
    end
    local miss = settle.missing(operation, before, counters)
    if miss then
      return miss
    end
    local after, changes, index = settlement.commit(before, matched, final, function(charge, level, made)
      return settle.room(before, counters, charge, level, made)
    end, function(charge, made)
      return settle.left(before, counters, charge, made)
    end)
    if not after then
      return settle.refused(changes, index)
    end
    seq, packed = settle.apply(before, after, changes, KIND_COMMIT, journal.stamp(operation, key))
    return {IS_RESERVATION, 0, seq, packed, false}
  end
end
