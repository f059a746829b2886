-- What every layout shares: reads each distinct counter once, decides each operation on all windows of its two counters, writes
-- back once. `load(names)` answers the values in order, each {period, used, held, period, used, held}; `save(names, values)`.
local batch = cmsgpack.unpack(ARGV[1])
local limit, amount = batch[1], batch[2]
local names, place = {}, {}
for _, operation in ipairs(batch[3]) do
    for _, name in ipairs(operation) do
        if not place[name] then
            names[#names + 1] = name
            place[name] = #names
        end
    end
end
local values = load(names)
local granted = 0
for _, operation in ipairs(batch[3]) do
    local fits = true
    for _, name in ipairs(operation) do
        local value = values[place[name]]
        fits = fits and amount <= limit - value[2] - value[3] and amount <= limit - value[5] - value[6]
    end
    if fits then
        granted = granted + 1
        for _, name in ipairs(operation) do
            local value = values[place[name]]
            value[3], value[6] = value[3] + amount, value[6] + amount
        end
    end
end
save(names, values)
return granted
