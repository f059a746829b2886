-- look: the values of the planned counters, rolled to the plan's periods, for Check and Usage; decides nothing.
--
-- Arguments: none of its own. Reply: {2, {value's bytes, ...}} by planned counter, or a miss. Example:
--   {1, tenant, 7, "", "", plan, false} -> {2, {"\1\1...", "\1\1..."}}

local look = {}

function look.run(operation)
  if not operation[O_PLAN] then
    return {IS_REFUSED, RULE_NOT_FOUND, -1, ''}
  end
  local ready, miss = admission.ready(operation)
  if not ready then
    return miss
  end
  return {IS_VALUES, admission.values(ready)}
end
