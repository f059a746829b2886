-- trim: the ledger has everything up to an entry; the journal's older entries may go, by exact number.
--
-- Arguments from 8 on: the last entry that the ledger has, the least entry to keep. Reply: {13, 0}. Example:
--   {13, "", 0, "", "", false, false, 400, 300} -> {13, 0}

local trim = {}

function trim.run(operation)
  local meta = store.meta
  meta[M_FLUSHED] = math.max(meta[M_FLUSHED], operation[8])
  store.trim(operation[9])
  return {IS_DONE, 0}
end
