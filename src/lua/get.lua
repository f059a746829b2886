-- get: reads one reservation, open here or as the ledger has it.
--
-- Arguments from 8 on: key. Reply: {1, 0, seq, record (packed), false}, a refusal (rule 2) or a miss. Example:
--   {8, tenant, 0, "", "", false, false, key} -> {1, 0, 41, "\154...", false}

local get = {}

function get.run(operation)
  local record, seq, packed = ids.find(operation[8], operation)
  if not record then
    return seq
  end
  return {IS_RESERVATION, 0, seq, packed, false}
end
