-- One hash of the partition; a value is text with colons.
local function load(names)
    local found = redis.call('HMGET', KEYS[1], unpack(names))
    for i = 1, #names do
        local value = {}
        for figure in string.gmatch(found[i] or '0:0:0:0:0:0', '[^:]+') do
            value[#value + 1] = tonumber(figure)
        end
        found[i] = value
    end
    return found
end

local function save(names, values)
    local fields = {}
    for i, name in ipairs(names) do
        local v = values[i]
        local text = string.format('%.0f:%.0f:%.0f:%.0f:%.0f:%.0f', v[1], v[2], v[3], v[4], v[5], v[6])
        fields[2 * i - 1], fields[2 * i] = name, text
    end
    redis.call('HSET', KEYS[1], unpack(fields))
end
