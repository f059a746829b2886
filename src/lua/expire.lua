-- expire: ends reservations whose deadline has passed, by their meters' rules. Every batch does so before its own work.
--
-- Arguments from 8 on: how many it may look at. Reply: {13, how many it looked at}. Example:
--   {9, "", 0, "", "", false, false, 256} -> {13, 3}

local expire = {}

-- Looks at no more than `limit` deadlines that are due; answers at how many. What has ended already, was extended, or is
-- parked, stays as it is.
function expire.due(limit)
  local keys = deadlines.take(limit)
  if #keys == 0 then
    return 0
  end
  store.prefetch_reservations(keys)
  for _, key in ipairs(keys) do
    local before = store.reservation(key)
    if before and before[R_STATE] ~= PARKED and deadlines.second(before[R_EXPIRE_TIME]) * 1000 <= store.now then
      local after, changes = settlement.expire(before)
      settle.apply(before, after, changes, KIND_EXPIRE, false)
    end
  end
  return #keys
end

function expire.run(operation)
  return {IS_DONE, expire.due(operation[8])}
end
