-- reverse: undoes a repeat that came too late to be recognised, as it stands now: what it still holds and what it has used.
--
-- Arguments from 8 on: record (unpacked) as the ledger has it, and the entry of which that is the state. Reply: {13, 1}, or a
-- miss if it has ended, or changed, after that entry. Example:
--   {10, tenant, 0, "", "", false, false, record, 41} -> {13, 1}

local reverse = {}

do
  -- Whatever a record held that is open but no longer here went with what the store lost.
  local function without_holds(given)
    local gone = holds.copy(given)
    for _, charge in ipairs(gone[R_CHARGES]) do
      charge[C_HELD] = 0
      for _, level in ipairs(charge[C_LEVELS]) do
        level[L_HELD] = 0
      end
    end
    return gone
  end

  function reverse.run(operation)
    local given, as_of = operation[8], operation[9]
    local key = given[R_KEY]
    local before = store.reservation(key)
    if not before or before[R_CREATE_TIME] ~= given[R_CREATE_TIME] then
      local ended = ids.ended(key)
      if ended and ended[2] > as_of then
        return ids.miss(key, '', ended[2])
      end
      before = settlement.is_open(given) and without_holds(given) or given
    end
    local after, changes = settlement.reverse(before)
    settle.apply(before, after, changes, KIND_REVERSE, false)
    return {IS_DONE, 1}
  end
end
