-- release: gives back what a reservation holds, all of it or what is listed.
--
-- Arguments from 8 on: key, listed. Reply: {1, replayed, seq, record (packed), false}, a refusal or a miss; replayed is 1
-- where it has no effect. Example:
--   {4, tenant, 0, "", fp, false, false, key, {}} -> {1, 0, 42, "\154...", false}

local release = {}

function release.run(operation)
  local key, items = operation[8], operation[9]
  local before, seq, packed = ids.find(key, operation)
  if not before then
    return seq
  end
  -- The state is judged first, then the charges.
  local effective, rule = settlement.releasable(before)
  if rule then
    return settle.refused(rule, -1, packed)
  elseif not effective then
    return {IS_RESERVATION, 1, seq, packed, false}
  end
  local matched, unmatched, index = listed.matched(before, items)
  if not matched then
    return settle.refused(unmatched, index)
  end
  local after, changes = settlement.release(before, matched, #items == 0)
  seq, packed = settle.apply(before, after, changes, KIND_RELEASE, journal.stamp(operation, key))
  return {IS_RESERVATION, 0, seq, packed, false}
end
