-- The quick way of a final Commit that stays within what is held, and of a whole Release (README.md, "The quick way"): what
-- lib/settlement.lua makes of a record that is held as it was granted, without a top-up and without prices. Made only for a batch
-- that has one.

local settle = settled_count > 0 and (function()
  local max = math.max
  local MAX_REQUESTS = 256

  -- The amount that each charge commits, by what is listed, {match, amount or -1, ...} (nothing: all as held); or nil.
  local function amounts(charges, listed)
    local committed, all = {}, #listed == 0
    for at = 1, #listed, 2 do
      local found
      for index = 1, #charges do
        if charges[index][C_MATCH] == listed[at] then
          found = index
          break
        end
      end
      if not found then
        return nil
      end
      committed[found] = committed[found] or listed[at + 1]
    end
    for index = 1, #charges do
      local held, amount = charges[index][C_HELD], committed[index] or (all and -1 or 0)
      committed[index] = amount < 0 and held or amount
      if committed[index] > held then
        return nil
      end
    end
    return committed
  end

  -- Whether a charge is as it was granted: its whole hold stands in the periods, and it has no price.
  local function is_plain(charge)
    if charge[C_UNCONFIRMED] ~= 0 or charge[C_LAPSED] ~= 0 or (charge[C_PRICE] or '') ~= '' or (charge[C_ESTIMATE] or '') ~= '' then
      return false
    end
    local levels = charge[C_LEVELS]
    for level = 1, #levels do
      if levels[level][L_HELD] ~= 0 then
        return false
      end
    end
    return true
  end

  -- Turns what a charge holds on one counter into what it used. Whether that can be done here.
  local function shift(place, tenant, at, used, held, own)
    local counter = counters[place]
    -- One that a Check or a denial began is not there.
    if not counter or (fresh[place] and not is_touched[place]) then
      return true
    elseif type(counter) ~= 'table' then
      return false
    end
    for window = WINDOW, WINDOW * counter[6], WINDOW do
      if counter[window + 3] <= at and at < counter[window + 4] then
        counter[window + 5], counter[window + 6] = counter[window + 5] + used, max(counter[window + 6] - held, 0)
        if counter[window + 5] > MAX then
          return false
        end
      end
    end
    if own then
      counter[5] = counter[5] + used
    end
    touch(place, tenant)
    return counter[5] <= MAX
  end

  -- Settles one charge in place; answers its line (packed), or nil.
  local function line(record, index, used, tenant)
    local charge, at = record[R_CHARGES][index], record[R_CREATE_TIME]
    local held, levels = charge[C_HELD], charge[C_LEVELS]
    for level = 1, #levels do
      local place = place_of[levels[level][L_ACCOUNT] .. charge[C_METER]]
      if not shift(place, tenant, at, used, held, level == charge[C_CHAIN]) then
        return nil
      end
    end
    charge[C_HELD], charge[C_COMMITTED] = 0, charge[C_COMMITTED] + used
    return '\149' .. pack(index - 1, at, used, -held) .. list(#levels) .. ('\146\0\0'):rep(#levels)
  end

  -- Settles the charges of a record in place; answers the lines (packed), or nil.
  local function lines_of(record, committed, commits, tenant)
    local charges, lines = record[R_CHARGES], {}
    for index = 1, #charges do
      local charge, used = charges[index], commits and committed[index] or 0
      if not is_plain(charge) then
        return nil
      elseif charge[C_HELD] > 0 then
        local made = line(record, index, used, tenant)
        if not made then
          return nil
        end
        lines[#lines + 1] = made
      end
      if commits then
        charge[C_FINAL] = used
      end
    end
    return lines
  end

  -- Moves what is remembered of the record's requests to the outcomes. Whether all of them were there.
  local function end_requests(record)
    for _, request in ipairs(record[R_REQUESTS]) do
      local known = known_requests[request]
      if not known then
        return false
      end
      put_requests[request] = false
      remember('q' .. request, '\149' .. known:sub(2) .. pack(expires))
    end
    return true
  end

  -- The stamp of the request, which is remembered with those of the record; or nil.
  local function stamped(record, key, request, fingerprint)
    local own = record[R_REQUESTS]
    if not end_requests(record) or #own >= MAX_REQUESTS then
      return nil
    elseif request == 0 then
      return '\194'
    end
    local stamp = '\168' .. fingerprint .. pack(key) .. '\144'
    own[#own + 1] = requests[request]
    remember('q' .. requests[request], '\149' .. stamp .. kept)
    return '\148' .. pack(requests[request]) .. stamp
  end

  -- Commit and Release: whether it was answered.
  return function(commits)
    local tenant, version, number, request, fingerprint, count, at = read('<BdBBc8B', argument, position)
    local record, key = records[number], settled[number]
    if not is_current(tenant, version) or record[R_STATE] ~= HELD or record[R_TENANT] ~= uids[tenant] then
      return false
    end
    local listed = {read('<' .. ('c8d'):rep(count), argument, at)}
    listed[2 * count + 1] = nil
    local committed = amounts(record[R_CHARGES], listed)
    local lines = committed and lines_of(record, committed, commits, tenant)
    local stamp = lines and stamped(record, key, request, fingerprint)
    if not stamp then
      return false
    end
    record[R_STATE] = commits and COMMITTED or RELEASED
    local known, packed = tenants[tenant], pack(record)
    local bytes = #packed < 256 and '\217' .. string.char(#packed) or '\218' .. struct.pack('>I2', #packed)
    local size = #entry
    entry[size + 1] = '\152' .. pack(uids[tenant], known[1], commits and KIND_COMMIT or KIND_RELEASE) .. stamp .. bytes
    entry[size + 2], entry[size + 3], effects = packed, list(#lines) .. concat(lines) .. '\160\194', effects + 1
    put_reservations[key] = false
    known[2], touched_tenants[tenant] = max(known[2] - 1, 0), true
    meta[M_RESERVATIONS] = max(meta[M_RESERVATIONS] - 1, 0)
    remember('r' .. key, '\147' .. pack(record[R_FINGERPRINT]) .. kept)
    size = #out
    out[size + 1], out[size + 2], out[size + 3] = '\149\1\0' .. packed_seq .. bytes, packed, '\194'
    return #packed < 65536
  end
end)()
