-- Caches of the hashes, from field to entry: nil is not read yet, false is not there; and which entries were changed.
-- What lib/store.lua and its neighbours read and write goes through here, in few commands.

local cache = {
  counters = {}, reservations = {}, requests = {}, outcomes = {}, tenants = {}, seconds = {},
}

do
  local call = redis.call
  -- Fields in one command: `unpack` and the argument lists of commands have bounds.
  local CHUNK = 1000
  -- What was changed, each once, in order of the first change.
  local changed = {counters = {}, reservations = {}, requests = {}, outcomes = {}, tenants = {}, seconds = {}}

  -- Reads those fields of KEYS[key] that the cache does not have yet; `make` turns what is there into an entry. Answers
  -- what it asked for.
  function cache.fetch(kind, key, fields, make)
    local entries, ask = cache[kind], {}
    for _, field in ipairs(fields) do
      if entries[field] == nil then
        entries[field] = false
        ask[#ask + 1] = field
      end
    end
    for first = 1, #ask, CHUNK do
      local last = math.min(first + CHUNK - 1, #ask)
      local found = call('HMGET', KEYS[key], unpack(ask, first, last))
      for place = first, last do
        local raw = found[place - first + 1]
        if raw then
          entries[ask[place]] = make(raw)
        end
      end
    end
    return ask
  end

  -- The same over several keys, the first that has a field counts: each is asked for what those before it do not have.
  function cache.fetch_layers(kind, keys, fields, make)
    local entries, asked = cache[kind], fields
    for layer, key in ipairs(keys) do
      if layer > 1 then
        local absent = {}
        for _, field in ipairs(asked) do
          if not entries[field] then
            entries[field] = nil
            absent[#absent + 1] = field
          end
        end
        asked = absent
      end
      if #asked > 0 then
        asked = cache.fetch(kind, key, asked, function(raw)
          return make(raw, layer)
        end)
      end
    end
  end

  -- Notes that an entry is to be written.
  function cache.touch(kind, field, entry)
    if not entry.dirty then
      entry.dirty = true
      local list = changed[kind]
      list[#list + 1] = field
      store.dirty = true
    end
  end

  -- The entry of a field to be overwritten: it need not be read.
  function cache.entry(kind, field)
    local entries = cache[kind]
    local entry = entries[field]
    if not entry then
      entry = {}
      entries[field] = entry
    end
    return entry
  end

  -- Sets fields, {field, bytes, field, bytes, ...}.
  function cache.set(key, fields)
    for first = 1, #fields, CHUNK do
      call('HSET', KEYS[key], unpack(fields, first, math.min(first + CHUNK - 1, #fields)))
    end
  end

  -- Removes fields.
  function cache.remove(key, fields)
    for first = 1, #fields, CHUNK do
      call('HDEL', KEYS[key], unpack(fields, first, math.min(first + CHUNK - 1, #fields)))
    end
  end

  -- Writes what was changed; `bytes` answers nil for an entry that goes.
  function cache.save(kind, key, bytes)
    local list, entries = changed[kind], cache[kind]
    if #list == 0 then
      return
    end
    local set, gone = {}, {}
    for _, field in ipairs(list) do
      local text = bytes(entries[field], field)
      if text then
        set[#set + 1] = field
        set[#set + 1] = text
      else
        gone[#gone + 1] = field
      end
    end
    cache.set(key, set)
    cache.remove(key, gone)
  end
end
