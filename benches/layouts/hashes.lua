-- A hash for each counter, a field for each figure.
local function load(names)
    local found = {}
    for i, name in ipairs(names) do
        local value = redis.call('HMGET', name, 'p1', 'u1', 'h1', 'p2', 'u2', 'h2')
        for j = 1, 6 do
            value[j] = tonumber(value[j] or 0)
        end
        found[i] = value
    end
    return found
end

local function save(names, values)
    for i, name in ipairs(names) do
        local v = values[i]
        local text = function(figure)
            return string.format('%.0f', figure)
        end
        redis.call('HSET', name, 'p1', text(v[1]), 'u1', text(v[2]), 'h1', text(v[3]), 'p2', text(v[4]), 'u2', text(v[5]), 'h2', text(v[6]))
    end
end
