-- The partition's time: Redis' own, or the one that a test gives, read once a call; it never goes back.

local clock = {}

do
  -- How far the time may move on in calls that change nothing else, before it is written down.
  local UNWRITTEN = 1000

  -- Sets the call's time; `given` is -1 for Redis' own.
  function clock.set(given)
    local meta = store.meta
    local time = given
    if given < 0 then
      local read = redis.call('TIME')
      time = read[1] * 1000 + math.floor(read[2] / 1000)
    end
    if time > meta[M_NOW] then
      if given >= 0 or time >= meta[M_NOW] + UNWRITTEN then
        store.dirty = true
      end
      meta[M_NOW] = time
    end
    store.now = meta[M_NOW]
  end
end
