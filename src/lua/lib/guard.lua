-- The fence: before anything else a call makes sure that the partition is the one that the server means, on the Redis that
-- it was loaded into. `meta` names that Redis by run id and replication id. A master takes a new replication id whenever it
-- starts and whenever it is promoted, also one that had been it before, so that id alone is compared in each call; the run id
-- costs twice as much to ask for and is only told to who verifies.

local guard = {}

do
  -- The reply by which the server is told to verify: what `meta` says, and what this Redis is.
  local function verify(meta)
    local info = redis.call('INFO', 'server', 'replication')
    local server = {info:match('run_id:(%x+)') or '', info:match('master_replid:(%x+)') or ''}
    if not meta then
      return {1, 1, 0, 0, 0, 0, 0, 0, server}
    end
    return {
      1, 1, meta[M_NOW], meta[M_SEQ], meta[M_FLUSHED], meta[M_RESERVATIONS], meta[M_COUNTERS], meta[M_INCARNATION], server,
    }
  end

  -- Reads `meta`. Answers nil if all is as `incarnation` says, else what to reply.
  function guard.check(incarnation)
    local raw = redis.call('GET', KEYS[KEY_META])
    if not raw then
      return verify(nil)
    end
    local meta = cmsgpack.unpack(raw)
    if meta[1] ~= 1 or meta[M_INCARNATION] ~= incarnation or meta[M_OPEN] ~= 1 then
      return verify(meta)
    end
    local info = redis.call('INFO', 'replication')
    if not info:find('master_replid:' .. meta[M_REPLID], 1, true) then
      return verify(meta)
    end
    store.meta = meta
    return nil
  end
end
