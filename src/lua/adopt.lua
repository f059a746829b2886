#!lua
-- Purpose: gives a partition its next state, if it still is as it was looked at, on the server it was looked at: the fence
-- moves, what belonged to another lifetime is dropped, what the database has is loaded. Without a next state: only looks.
-- KEYS: the partition's, in the order of README.md (11: the journal of the new incarnation); 12: whose partition it is;
-- 13: the journal that is left.
-- ARGV[1], packed: {1 format = 1, 2 the meta that was looked at or "", 3 the next meta or "" to look only, 4 run_id and
-- 5 master_replid that were looked at, 6 installation, 7 drop all that there was (0, 1), 8 tenants {uid, value, ...},
-- 9 reservations {key, record, ...}, 10 requests {key, value, ...}, 11 deadlines {field, keys, ...}, 12 versions {uid, version,
-- ...}}. Values are put as they come; versions are raised to, in what is there.
-- Reply, packed: {1 format = 1, 2 done (0, 1), 3 meta or "", 4 run_id, 5 master_replid, 6 TIME in milliseconds,
-- 7 installation or ""}, as it is afterwards.
-- Example: {1, "", "", "", "", "", 0, {}, {}, {}, {}, {}} -> {1, 0, "", "3f..", "8a..", 1700000000000, ""}

-- Fields in one command: `unpack` has bounds.
local CHUNK = 1000
-- How long a journal that is left stays, in milliseconds: an operator may still want to read it.
local KEEP_JOURNAL = 600000

local wanted = cmsgpack.unpack(ARGV[1])
local info = redis.call('INFO', 'server', 'replication')
local run_id = info:match('run_id:(%x+)') or ''
local replid = info:match('master_replid:(%x+)') or ''
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local meta = redis.call('GET', KEYS[1]) or ''
local installation = redis.call('GET', KEYS[12]) or ''

local expected, following, ours = wanted[2], wanted[3], wanted[6]
if
  following == ''
  or meta ~= expected
  or run_id ~= wanted[4]
  or replid ~= wanted[5]
  or (installation ~= '' and installation ~= ours)
then
  return cmsgpack.pack({1, 0, meta, run_id, replid, now, installation})
end

-- From here on everything is written.
local function put(key, fields)
  for first = 1, #fields, CHUNK do
    redis.call('HSET', key, unpack(fields, first, math.min(first + CHUNK - 1, #fields)))
  end
end

if wanted[7] == 1 then
  for place = 2, 11 do
    redis.call('UNLINK', KEYS[place])
  end
end
if KEYS[13] ~= KEYS[11] then
  redis.call('PEXPIRE', KEYS[13], KEEP_JOURNAL)
end
put(KEYS[2], wanted[8])
put(KEYS[3], wanted[9])
put(KEYS[4], wanted[10])
put(KEYS[5], wanted[11])
for place = 1, #wanted[12], 2 do
  local uid, version = wanted[12][place], wanted[12][place + 1]
  local known = redis.call('HGET', KEYS[2], uid)
  local tenant = known and cmsgpack.unpack(known) or {0, 0, 0}
  if tenant[1] < version then
    tenant[1] = version
    redis.call('HSET', KEYS[2], uid, cmsgpack.pack(tenant))
  end
end
redis.call('SET', KEYS[12], ours)
redis.call('SET', KEYS[1], following)
return cmsgpack.pack({1, 1, following, run_id, replid, now, ours})
