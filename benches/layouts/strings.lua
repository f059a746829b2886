-- A string key for each counter; a value is six little-endian doubles.
local function load(names)
    local found = redis.call('MGET', unpack(names))
    for i = 1, #names do
        local text = found[i]
        found[i] = text and { struct.unpack('<dddddd', text) } or { 0, 0, 0, 0, 0, 0 }
    end
    return found
end

local function save(names, values)
    local pairs = {}
    for i, name in ipairs(names) do
        local v = values[i]
        pairs[2 * i - 1], pairs[2 * i] = name, struct.pack('<dddddd', v[1], v[2], v[3], v[4], v[5], v[6])
    end
    redis.call('MSET', unpack(pairs))
end
