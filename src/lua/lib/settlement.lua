-- What commit, release, extend, free and expiry change: the twin of `domain/settlement.rs`, on records as the contract
-- lays them out. Nothing here touches a counter or a key, and the record that is given is never changed.
--
-- Each operation answers the record afterwards and its changes (those of `lib/holds.lua`), or nil, the rule that refuses
-- and an index (from 0) or -1. `matched` is what a call lists, as `lib/listed.lua` gives it: {{charge (from 1), amount or -1:
-- as held, ...}, ...}. Example, of a record with one charge that holds 10:
--   settlement.commit(record, {{1, 4}}, true, room) -> the record with 4 committed, {{1, 4, -10, {{0, 0}}}}

local settlement = {}

do
  local min, max = math.min, math.max

  local function first_by_charge(matched)
    local items = {}
    for _, item in ipairs(matched) do
      items[item[1]] = items[item[1]] or item
    end
    return items
  end

  -- Sets one of the flags of a record of its own.
  function settlement.raise_flag(record, flag)
    local flags = record[R_FLAGS]
    if flags % (2 * flag) < flag then
      record[R_FLAGS] = flags + flag
    end
  end

  -- Whether it still holds something, or may.
  function settlement.is_open(record)
    local state = record[R_STATE]
    return state == HELD or state == PARTIALLY_COMMITTED or state == PARKED
  end

  -- Whether anything that can be freed is still in use.
  function settlement.occupies(record)
    for _, charge in ipairs(record[R_CHARGES]) do
      if charge[C_ALLOCATION] == 1 and charge[C_COMMITTED] > charge[C_FREED] then
        return true
      end
    end
    return false
  end

  -- What a charge stands for when nobody says an amount: what is held, what the deadline charged, what it gave back.
  function settlement.as_held(charge)
    return min(charge[C_HELD] + charge[C_UNCONFIRMED] + charge[C_LAPSED], MAX)
  end

  -- Whether a change moves nothing, and nothing was priced: what is free leaves a line too.
  function settlement.is_empty(change)
    if change[D_USED] ~= 0 or change[D_HELD] ~= 0 or change[D_PRICE] then
      return false
    end
    for _, parts in ipairs(change[D_PARTS]) do
      if parts[1] ~= 0 or parts[2] ~= 0 then
        return false
      end
    end
    return true
  end

  -- Whether a commit needs to know the limits: it goes above its hold where a rule or a top-up asks what fits.
  function settlement.needs_room(record, matched)
    local open = settlement.is_open(record)
    for _, item in ipairs(matched) do
      local charge = record[R_CHARGES][item[1]]
      local amount = item[2] >= 0 and item[2] or settlement.as_held(charge)
      if amount > charge[C_HELD] + charge[C_UNCONFIRMED] then
        if open and charge[C_OVERAGE] ~= OVERAGE_RECORD then
          return true
        end
        for _, level in ipairs(charge[C_LEVELS]) do
          if level[L_TOP_UP] == 1 then
            return true
          end
        end
      end
    end
    return false
  end

  -- What goes back of what the deadline charged and nobody confirmed: what was freed meanwhile has gone already.
  local function rest_of(charge, unconfirmed)
    return charge[C_ON_RESERVE] == 0 and min(unconfirmed, charge[C_COMMITTED] - charge[C_FREED]) or 0
  end

  -- Whether a final commit needs to know what is in use: it gives back what a deadline charged to an allocation, of which a
  -- Free by amount may have taken some.
  function settlement.needs_left(record, matched)
    local items
    for index, charge in ipairs(record[R_CHARGES]) do
      if charge[C_UNCONFIRMED] > 0 and charge[C_ALLOCATION] == 1 then
        items = items or first_by_charge(matched)
        local item, amount = items[index], 0
        if item then
          amount = item[2] >= 0 and item[2] or settlement.as_held(charge)
        end
        if rest_of(charge, max(charge[C_UNCONFIRMED] - amount, 0)) > 0 then
          return true
        end
      end
    end
    return false
  end

  -- The use that goes above what a charge stands for, by its overage rule; `room(charge, level, changes)` answers the
  -- rest of that level (nil: nothing limits) and its top-up's rest. Answers whether it was recorded.
  local function use_beyond(after, index, extra, late, room, changes)
    local charge = after[R_CHARGES][index]
    local rooms, fits = {}, nil
    for level = 1, #charge[C_LEVELS] do
      local rest, top_up = room(index, level, changes)
      rooms[level] = {rest = rest, top_up = top_up}
      if rest then
        local fit = max(rest, 0) + top_up
        fits = fits and min(fits, fit) or fit
      end
    end
    if extra > charge[C_LAPSED] then
      settlement.raise_flag(after, FLAG_OVERRUN)
    end
    if fits and not late then
      if charge[C_OVERAGE] == OVERAGE_REFUSE and extra > fits then
        return false
      elseif charge[C_OVERAGE] == OVERAGE_CAP then
        extra = min(extra, fits)
      end
    end
    charge[C_LAPSED] = charge[C_LAPSED] - min(extra, charge[C_LAPSED])
    holds.use_more(charge, extra, rooms, changes[index])
    return true
  end

  -- The rule by which the state forbids a commit, or nil.
  function settlement.not_committable(before)
    local state = before[R_STATE]
    return state == COMMITTED and RULE_COMMITTED or state == RELEASED and RULE_RELEASED or nil
  end

  -- Commit: turns what is held into what is used, with the amounts that were really used, in whatever state that allows it
  -- the reservation is. `left(charge, changes)` answers what an allocation may give back, and by level what is there.
  function settlement.commit(before, matched, final, room, left)
    local state = before[R_STATE]
    local late = state == EXPIRED
    local after, changes, extras = holds.copy(before), {}, {}
    local items = first_by_charge(matched)

    -- First what is covered: what the hold, or a charge at expiry, already stands for.
    for index, charge in ipairs(after[R_CHARGES]) do
      local item, change, amount = items[index], holds.unchanged(index, charge), 0
      if item then
        amount = item[2] >= 0 and item[2] or settlement.as_held(charge)
        local price = listed.price(charge, item, amount)
        if price then
          holds.price(charge, price, change)
        end
        local confirmed = min(amount, charge[C_UNCONFIRMED])
        charge[C_UNCONFIRMED] = charge[C_UNCONFIRMED] - confirmed
        local covered = min(amount - confirmed, charge[C_HELD])
        holds.use(charge, covered, change)
        extras[#extras + 1] = {index, amount - confirmed - covered}
      end
      if final then
        holds.release(charge, charge[C_HELD], change)
        local rest = rest_of(charge, charge[C_UNCONFIRMED])
        if rest > 0 then
          local most, there = MAX, nil
          if charge[C_ALLOCATION] == 1 then
            most, there = left(index, changes)
          end
          holds.give_back(charge, rest, most, there, change)
        end
        charge[C_UNCONFIRMED] = 0
        charge[C_FINAL] = amount
      end
      changes[index] = change
    end

    -- Then what goes above, against what that leaves.
    for _, extra in ipairs(extras) do
      if extra[2] > 0 and not use_beyond(after, extra[1], extra[2], late, room, changes) then
        return nil, RULE_OVERAGE, extra[1] - 1
      end
    end

    if late then
      settlement.raise_flag(after, FLAG_LATE)
    end
    if final then
      after[R_STATE] = COMMITTED
    elseif not late and state ~= PARKED then
      after[R_STATE] = PARTIALLY_COMMITTED
    end
    return after, changes
  end

  -- Whether a second final commit asks for what the first recorded: then it is a repeat, not another amount.
  function settlement.repeats_commit(before, matched, as_held)
    if before[R_STATE] ~= COMMITTED then
      return false
    elseif as_held then
      return true
    end
    local items = first_by_charge(matched)
    for index, charge in ipairs(before[R_CHARGES]) do
      local item, amount = items[index], 0
      if item then
        amount = item[2] >= 0 and item[2] or charge[C_FINAL]
      end
      if amount ~= charge[C_FINAL] or (item and item[4] and item[4] ~= charge[C_PRICE]) then
        return false
      end
    end
    return true
  end

  -- What a release finds by the state alone: whether it has an effect, or nil and the rule that refuses.
  function settlement.releasable(before)
    local state = before[R_STATE]
    if state == COMMITTED then
      return nil, RULE_COMMITTED
    elseif state == EXPIRED then
      for _, charge in ipairs(before[R_CHARGES]) do
        if charge[C_UNCONFIRMED] > 0 then
          return nil, RULE_COMMITTED
        end
      end
    end
    return settlement.is_open(before)
  end

  -- Release of an open reservation: gives back what is held, all of it or what is listed.
  function settlement.release(before, matched, all)
    local after, changes, still = holds.copy(before), {}, false
    local items = first_by_charge(matched)
    for index, charge in ipairs(after[R_CHARGES]) do
      local item = items[index]
      if all or item then
        local amount = charge[C_HELD]
        if item and item[2] >= 0 then
          amount = min(item[2], amount)
        end
        local change = holds.unchanged(index, charge)
        holds.release(charge, amount, change)
        changes[#changes + 1] = change
      end
      still = still or charge[C_HELD] > 0
    end
    if all or not still then
      after[R_STATE] = RELEASED
    end
    return after, changes
  end

  -- The rule by which the state forbids an extend, or nil.
  function settlement.not_extendable(before)
    local state = before[R_STATE]
    if state == COMMITTED then
      return RULE_COMMITTED
    elseif state == RELEASED then
      return RULE_RELEASED
    elseif state == EXPIRED then
      return RULE_EXPIRED
    elseif state == PARKED then
      return RULE_PARKED
    end
    return nil
  end

  -- Extend of a reservation whose state allows it: moves the deadline, never earlier, and raises holds by what was
  -- admitted: {{charge (from 1), amount, parts in the top-up by level}, ...}.
  function settlement.extend(before, expire_time, raised)
    local after, changes = holds.copy(before), {}
    after[R_EXPIRE_TIME] = max(after[R_EXPIRE_TIME], expire_time)
    for number, raise in ipairs(raised) do
      local charge = after[R_CHARGES][raise[1]]
      local change = holds.unchanged(raise[1], charge)
      holds.take_by_rule(charge, raise[2], raise[3], change)
      changes[number] = change
    end
    return after, changes
  end

  -- The change that takes a new reservation's charge, in place: held, or used at once where the meter charges on reserve;
  -- what is used at once waits for a commit to confirm it.
  function settlement.take_new(index, charge, amount, top_up)
    local change = holds.unchanged(index, charge)
    holds.take_by_rule(charge, amount, top_up, change)
    return change
  end

  -- The change that records a charge for good, in place, without a hold: Consume, and a commit that nobody held for.
  function settlement.record_new(index, charge, amount, top_up)
    local change = holds.unchanged(index, charge)
    holds.take(charge, amount, top_up, true, change)
    charge[C_FINAL] = amount
    if (charge[C_ESTIMATE] or '') ~= '' then
      holds.price(charge, charge[C_ESTIMATE], change)
    end
    return change
  end

  -- The deadline passes: each charge's hold goes by its meter's expiry rule.
  function settlement.expire(before)
    local after, changes, parked = holds.copy(before), {}, false
    for index, charge in ipairs(after[R_CHARGES]) do
      local change, held = holds.unchanged(index, charge), charge[C_HELD]
      if charge[C_EXPIRY] == EXPIRY_CHARGE then
        holds.use(charge, held, change)
        holds.grow(charge, C_UNCONFIRMED, held)
      elseif charge[C_EXPIRY] == EXPIRY_PARK then
        parked = parked or held > 0
      else
        holds.release(charge, held, change)
        holds.grow(charge, C_LAPSED, held)
      end
      changes[index] = change
    end
    after[R_STATE] = parked and PARKED or EXPIRED
    return after, changes
  end

  -- Free by reservation: gives back what its allocation charges committed, as far as `left(charge, changes)` says that it
  -- is still there, and by level where. A second one finds nothing. A third answer has the amounts, by charge.
  function settlement.free(before, left)
    if settlement.is_open(before) then
      return nil, RULE_OPEN, -1
    end
    for index, charge in ipairs(before[R_CHARGES]) do
      if charge[C_ALLOCATION] == 0 then
        return nil, RULE_NOT_FREEABLE, index - 1
      end
    end
    local after, changes, freed = holds.copy(before), {}, {}
    for index, charge in ipairs(after[R_CHARGES]) do
      local change = holds.unchanged(index, charge)
      local most, there = left(index, changes)
      local amount = min(charge[C_COMMITTED] - charge[C_FREED], most)
      holds.return_use(charge, amount, there, change)
      -- What is not left was given back by amount.
      charge[C_FREED] = charge[C_COMMITTED]
      changes[index] = change
      freed[index] = amount
    end
    return after, changes, freed
  end

  -- A repeat that came too late to be recognised is undone: what it holds and used goes back, as if it had never been.
  function settlement.reverse(before)
    local after, changes = holds.copy(before), {}
    for index, charge in ipairs(after[R_CHARGES]) do
      local change = holds.unchanged(index, charge)
      local held, committed = charge[C_HELD], charge[C_COMMITTED] - charge[C_FREED]
      holds.release(charge, held, change)
      holds.give_back(charge, committed, MAX, nil, change)
      charge[C_UNCONFIRMED] = 0
      changes[index] = change
    end
    after[R_STATE] = RELEASED
    return after, changes
  end
end
