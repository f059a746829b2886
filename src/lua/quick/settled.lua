-- The quick way of a final Commit that stays within what is held, and of a whole Release (README.md, "The quick way"): what
-- lib/settlement.lua makes of a record that is held as it was granted, without a top-up and without prices. The record is changed
-- as bytes, where it stands: what is known of them is looked at, the rest stays what it is.
--
-- This file makes all that such operations leave behind, but for the counters, which quick/decide.lua changes in the order of the
-- operations.

-- What ends in this call is remembered until then, with the entry of this call: to the whole second (lib/ids.lua).
local kept = nil
-- Outcomes, fields and values in turn; whether one of them must stay until the ledger has the entry of this call.
local put_outcomes, outcomes_size, remembers = nil, 0, false

-- Of each that settles: tenant, catalog version, when it was made, where its shifts begin, the record afterwards (packed bytes), what
-- stands before it in the effect, and behind it.
local SETTLED = 7
local settled, settled_keys, settled_size = nil, nil, 0
-- What is shifted on counters: place, used, held, own.
local SHIFT = 4
local shifts, shifts_size = nil, 0
-- Requests that the records have had.
local asked, asked_count = nil, 0

if settled_count > 0 then
  local expires = now + REMEMBER
  local packed_expires = pack(expires + (1000 - expires % 1000) % 1000)
  kept, put_outcomes, remembers = packed_seq .. packed_expires, {'', ''}, true
  settled, shifts = {0, 0, 0, 0, '', '', ''}, {0, 0, 0, 0, 0, 0, 0, 0}
  keys = keys or {'', ''}
  local place_of, level_parts, known_levels = {}, nil, nil
  for place = 1, planned_count do
    place_of[keys[place]] = place
  end
  settled_keys = {read(('c16'):rep(settled_count), argument, position)}
  position = settled_keys[settled_count + 1]
  local found = call('HMGET', KEYS[KEY_RESERVATIONS], unpack(settled_keys, 1, settled_count))
  for number = 1, settled_count do
    local commits, tenant, version, request, fingerprint, listed_count, at = read('<BBdBc8B', argument, position)
    local listed = listed_count > 0 and {read('<' .. ('c8d'):rep(listed_count), argument, at)}
    position = at + 16 * listed_count

    -- {static, tenant, key, fingerprint, state, flags, created, expires, charges ...
    local record = found[number]
    if not record then
      return GIVEN_UP
    end
    local mark, lead, high, low = byte(record, 1, 4)
    local head = lead == 217 and 4 + high or lead == 218 and 5 + 256 * high + low or lead < 192 and lead - 157
    if mark ~= 154 or not head then
      return GIVEN_UP
    end
    local own_fingerprint, state, time_mark, created = read('>c9BxBI8', record, head + 34)
    local charges = byte(record, head + 63)
    at = head + 64
    if sub(record, head + 1, head + 16) ~= tenants[tenant][T_UID] or state ~= HELD or time_mark ~= 207 or charges < 145 or charges > 159 then
      return GIVEN_UP
    end
    local since, from = sub(record, head + 45, head + 53), head + 44
    local after, lines, lines_count = nil, '', 0
    settled[settled_size + 1], settled[settled_size + 2], settled[settled_size + 3] = tenant, version, created
    settled[settled_size + 4] = shifts_size

    for index = 0, charges - 145 do
      -- {match, meter, chain, asked, held, committed, unconfirmed, lapsed, freed, final, four rules, levels ...
      local mark, match, meter, chain, wide, held_at = read('>c3xc8xc8BB', record, at)
      if wide > 203 and wide < 208 then
        held_at = held_at + 2 ^ (wide - 204)
      elseif wide > 127 and wide ~= 255 then
        return GIVEN_UP
      end
      local held, held_end = byte(record, held_at), held_at + 1
      if held > 203 and held < 208 then
        held, held_end = read(held == 204 and '>B' or held == 205 and '>I2' or held == 206 and '>I4' or '>I8', record, held_end)
      elseif held > 127 then
        return GIVEN_UP
      end
      local plain, levels
      plain, levels, at = read('>c5xxxxB', record, held_end)
      if mark ~= '\220\0\18' or plain ~= '\0\0\0\0\255' or levels < 145 or levels > 159 then
        return GIVEN_UP
      end

      local used = held
      if listed then
        used = 0
        for item = 2 * listed_count - 1, 1, -2 do
          if listed[item] == match then
            used, listed[item] = listed[item + 1], false
          end
        end
        used = used < 0 and held or used
      end
      if used > held then
        return GIVEN_UP
      elseif commits == 0 then
        used = 0
      end

      -- Levels of {account, has top-up, held there, used there}, then both price states, and whether there ever was a price.
      for level = 145, levels do
        local account, top_up_held, top_up_used
        account, top_up_held, top_up_used, at = read('>xxc16xBB', record, at)
        if top_up_held ~= 0 or top_up_used ~= 0 then
          return GIVEN_UP
        elseif held > 0 then
          local key = account .. meter
          local place = place_of[key]
          if not place then
            place = keys_count + 1
            keys_count, keys[place], place_of[key] = place, key, place
          end
          shifts[shifts_size + 1], shifts[shifts_size + 2], shifts[shifts_size + 3] = place, used, held
          shifts[shifts_size + 4] = level - 144 == chain and used or 0
          shifts_size = shifts_size + SHIFT
        end
      end
      local price, estimate = byte(record, at, at + 1)
      if price ~= 160 or estimate ~= 160 then
        return GIVEN_UP
      end
      at = at + 3

      local packed_used = used == held and sub(record, held_at, held_end - 1) or used < 128 and char(used) or pack(used)
      -- What stands before, with the new state, up to what is held; then held to final.
      after = (after or sub(record, 1, head + 42) .. (commits == 1 and '\3' or '\4')) .. sub(record, from, held_at - 1)
        .. '\0' .. packed_used .. '\0\0\0' .. (commits == 1 and packed_used or '\255')
      from = held_end + 5
      if held > 0 then
        lines_count = lines_count + 1
        if levels ~= known_levels then
          level_parts, known_levels = char(levels) .. ('\146\0\0'):rep(levels - 144), levels
        end
        lines = lines .. (index == 0 and '\149\0' or '\149' .. char(index)) .. since .. packed_used
          .. (held < 33 and char(256 - held) or pack(-held)) .. level_parts
      end
    end
    for item = 1, 2 * listed_count, 2 do
      if listed[item] then
        return GIVEN_UP
      end
    end

    -- ... and the requests that it has had, now this one too}
    local had, stamp, key = byte(record, at), '\194', settled_keys[number]
    if had > 159 then
      return GIVEN_UP
    end
    for item = at + 2, at + 17 * (had - 144), 17 do
      asked = asked or {''}
      asked_count = asked_count + 1
      asked[asked_count] = sub(record, item, item + 15)
    end
    local rest = nil
    if request == 0 then
      rest = sub(record, from)
    elseif had == 159 then
      return GIVEN_UP
    else
      local id = requests[request]
      local known = '\168' .. fingerprint .. '\176' .. key .. '\144'
      rest = sub(record, from, at - 1) .. char(had + 1) .. sub(record, at + 1) .. '\176' .. id
      stamp = '\148\176' .. id .. known
      put_outcomes[outcomes_size + 1], put_outcomes[outcomes_size + 2] = 'q' .. id, '\149' .. known .. kept
      outcomes_size = outcomes_size + 2
    end
    put_outcomes[outcomes_size + 1], put_outcomes[outcomes_size + 2] = 'r' .. key, '\147' .. own_fingerprint .. kept
    outcomes_size = outcomes_size + 2
    local length = #after + #rest
    if length > 65535 then
      return GIVEN_UP
    end
    settled[settled_size + 5] = (length < 256 and '\217' .. char(length) or '\218' .. write('>I2', length)) .. after .. rest
    settled[settled_size + 6] = (commits == 1 and '\2' or '\3') .. stamp
    settled[settled_size + 7] = (lines_count == 1 and '\145' or char(144 + lines_count)) .. lines .. '\160\194'
    settled_size = settled_size + SETTLED
  end

  -- `unpack` has a bound, also where it would be met in the write phase.
  if asked_count > MOST or keys_count > MOST then
    return GIVEN_UP
  elseif asked_count > 0 then
    -- What is remembered of these requests moves to the outcomes.
    found = call('HMGET', KEYS[KEY_REQUESTS], unpack(asked, 1, asked_count))
    for place = 1, asked_count do
      local known = found[place]
      if not known then
        return GIVEN_UP
      end
      put_outcomes[outcomes_size + 1] = 'q' .. asked[place]
      put_outcomes[outcomes_size + 2] = '\149' .. sub(known, 2) .. packed_expires
      outcomes_size = outcomes_size + 2
    end
  end
end
