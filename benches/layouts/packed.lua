-- One hash of the partition; a value is six little-endian doubles.
local function load(names)
    local found = redis.call('HMGET', KEYS[1], unpack(names))
    for i = 1, #names do
        local text = found[i]
        found[i] = text and { struct.unpack('<dddddd', text) } or { 0, 0, 0, 0, 0, 0 }
    end
    return found
end

local function save(names, values)
    local fields = {}
    for i, name in ipairs(names) do
        local v = values[i]
        fields[2 * i - 1], fields[2 * i] = name, struct.pack('<dddddd', v[1], v[2], v[3], v[4], v[5], v[6])
    end
    redis.call('HSET', KEYS[1], unpack(fields))
end
