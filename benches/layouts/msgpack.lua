-- One hash of the partition; a value is a packed array.
local function load(names)
    local found = redis.call('HMGET', KEYS[1], unpack(names))
    for i = 1, #names do
        local text = found[i]
        found[i] = text and cmsgpack.unpack(text) or { 0, 0, 0, 0, 0, 0 }
    end
    return found
end

local function save(names, values)
    local fields = {}
    for i, name in ipairs(names) do
        fields[2 * i - 1], fields[2 * i] = name, cmsgpack.pack(values[i])
    end
    redis.call('HSET', KEYS[1], unpack(fields))
end
