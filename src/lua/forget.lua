#!lua
-- Purpose: forgets counters, so that whoever needs one next is told to ask the ledger for it: those that still are as they
-- were looked at. What is absent is from then on taken for zero in no period that has begun.
-- KEYS: the partition's, in the order of README.md.
-- ARGV[1], packed: {1 format = 1, 2 incarnation, 3 counters {key, value that was looked at or "" for any, ...}}.
-- Reply, packed: {1 format = 1, 2 for each counter whether it is gone now (0, 1)}; of another incarnation none is.
-- Example: {1, 3, {"5a..", ""}} -> {1, {1}}

local wanted = cmsgpack.unpack(ARGV[1])
local raw = redis.call('GET', KEYS[1])
local meta = raw and cmsgpack.unpack(raw)
local is_ours = meta and meta[2] == wanted[2] and meta[5] == 1

-- The two generations of counters, the current one first.
local generations = {KEYS[6], KEYS[7]}
if is_ours and meta[12] == 1 then
  generations = {KEYS[7], KEYS[6]}
end

local function is_as(key, looked_at)
  if looked_at == '' then
    return true
  end
  return (redis.call('HGET', generations[1], key) or redis.call('HGET', generations[2], key)) == looked_at
end

local done, gone = {}, {}
for place = 1, #wanted[3], 2 do
  local same = is_ours and is_as(wanted[3][place], wanted[3][place + 1])
  done[#done + 1] = same and 1 or 0
  if same then
    gone[#gone + 1] = wanted[3][place]
  end
end

-- From here on everything is written.
if #gone > 0 then
  local count = redis.call('HDEL', KEYS[6], unpack(gone)) + redis.call('HDEL', KEYS[7], unpack(gone))
  meta[20] = math.max(meta[20] - count, 0)
  meta[9] = math.max(meta[9], meta[6] + 1)
  redis.call('SET', KEYS[1], cmsgpack.pack(meta))
end
return cmsgpack.pack({1, done})
