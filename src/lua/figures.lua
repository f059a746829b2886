#!lua flags=no-writes
-- Purpose: what a partition says of some counters and reservations, all at one entry of its journal, for who compares it with
-- the ledger. Nothing is changed.
-- KEYS: the partition's, in the order of README.md; 12: whose partition it is.
-- ARGV[1], packed: {1 format = 1, 2 keys of counters, 3 keys of reservations}; at most some thousands of them.
-- Reply, packed: {1 format = 1, 2 meta or "", 3 installation or "", 4 the counters' values, 5 the reservations' records}, each
-- value or record as it is kept, "" where there is none.
-- Example: {1, {}, {"3f.."}} -> {1, "..", "0192..", {}, {""}}

local wanted = cmsgpack.unpack(ARGV[1])
local meta = redis.call('GET', KEYS[1]) or ''
local installation = redis.call('GET', KEYS[12]) or ''

-- Each field of the first hash that has it.
local function read(keys, fields)
  local found = {}
  for place = 1, #fields do
    found[place] = ''
  end
  if #fields == 0 then
    return found
  end
  for _, key in ipairs(keys) do
    for place, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
      if value and found[place] == '' then
        found[place] = value
      end
    end
  end
  return found
end

local counters = {KEYS[6], KEYS[7]}
if meta ~= '' and cmsgpack.unpack(meta)[12] == 1 then
  counters = {KEYS[7], KEYS[6]}
end
return cmsgpack.pack({1, meta, installation, read(counters, wanted[2]), read({KEYS[3]}, wanted[3])})
