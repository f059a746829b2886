-- The quick way's counters (README.md, "The quick way"). Each is a flat array: {the tenant for which it is to be written or false,
-- format and flags, top-up (bytes), own, windows, then of each window: id with kind, start and end; used; held}. So the windows of a
-- list stand at the same places. Only those are read that are known whole and have nothing but planned periods.

-- By place: an array, the bytes of one that is not read here, or false where none is. `old`: it is in the old generation; `fresh`: it
-- began in this call; `odd`: it is not as planned, or absent. The latter three are nil as long as they are empty.
local counters, old, fresh, odd = nil, nil, nil, nil
local current = KEY_COUNTERS + generation
local counter_form, known_windows = nil, -1
if keys_count > 0 then
  counters = call('HMGET', KEYS[current], unpack(keys, 1, keys_count))
  local absent, places = nil, nil
  for place = 1, keys_count do
    if not counters[place] then
      absent, places = absent or {}, places or {}
      absent[#absent + 1], places[#places + 1] = keys[place], place
    end
  end
  if absent then
    local found = call('HMGET', KEYS[2 * KEY_COUNTERS + 1 - current], unpack(absent))
    for number = 1, #absent do
      if found[number] then
        old = old or {}
        counters[places[number]], old[places[number]] = found[number], true
      end
    end
  end

  for place = 1, keys_count do
    local raw, list = counters[place], place <= planned_count and lists[byte(argument, lists_at + place - 1)]
    local usual = false
    if raw then
      local windows = byte(raw, 27)
      if windows ~= known_windows and windows then
        counter_form, known_windows = '<I2c16dB' .. windows_form:rep(windows), windows
      end
      if windows and #raw == 27 + 41 * windows then
        local counter = {false, read(counter_form, raw)}
        local state = counter[2]
        if state == 1 or state == 257 or state == 513 or state == 769 then
          counters[place], usual = counter, not list or list[2] == windows
          if list and usual then
            for window = HEAD + 1, HEAD + WINDOW * windows, WINDOW do
              usual = usual and counter[window] == list[window]
            end
          end
        end
      end
    end
    if list and not usual then
      odd = odd or {}
      odd[place] = true
    end
  end
end
