-- The fence: before anything else a call makes sure that the partition is the one that the server means, on the Redis
-- that it was loaded into. A restart changes the run id, a promotion the replication id; `meta` names both.

local guard = {}

do
  -- The run id and the replication id of the Redis that runs this.
  local function server()
    local info = redis.call('INFO', 'server', 'replication')
    return info:match('run_id:(%x+)') or '', info:match('master_replid:(%x+)') or ''
  end

  -- Reads `meta`. Answers nil if all is as `incarnation` says, else the reply by which the server is told to verify.
  function guard.check(incarnation)
    local run_id, replid = server()
    local raw = redis.call('GET', KEYS[KEY_META])
    if not raw then
      return {1, 1, 0, 0, 0, 0, 0, 0, {run_id, replid}}
    end
    local meta = cmsgpack.unpack(raw)
    store.meta = meta
    if
      meta[1] == 1
      and meta[M_INCARNATION] == incarnation
      and meta[M_RUN_ID] == run_id
      and meta[M_REPLID] == replid
      and meta[M_OPEN] == 1
    then
      return nil
    end
    return {
      1, 1, meta[M_NOW], meta[M_SEQ], meta[M_FLUSHED], meta[M_RESERVATIONS], meta[M_COUNTERS], meta[M_INCARNATION],
      {run_id, replid},
    }
  end
end
