-- What commit, release, extend, free and expiry change: the twin of `domain/settlement.rs`, on records as the contract
-- lays them out. Nothing here touches a counter or a key, and the record that is given is never changed.
--
-- Each operation answers the record afterwards and its changes, or nil, the rule that refuses and an index (from 0) or -1.
-- A change is {charge (from 1), used, held, {{used top-up, held top-up}, ...} by level}; what is given back is below zero.
-- `matched` is what a call lists, as {{charge (from 1), amount or -1: as held}, ...}. Example, of one charge holding 10:
--   settlement.commit(record, {{1, 4}}, true, room) -> record with 4 committed, {{1, 4, -10, {{0, 0}}}}

local settlement = {}

do
  local MAX = 9007199254740991
  local min, max = math.min, math.max

  -- Places in a record, a charge, a level and a change.
  local STATE, FLAGS, EXPIRE_TIME, CHARGES = 5, 6, 8, 9
  local MATCH, HELD, COMMITTED, UNCONFIRMED, LAPSED, FREED, FINAL = 1, 5, 6, 7, 8, 9, 10
  local OVERAGE, EXPIRY, ON_RESERVE, ALLOCATION, LEVELS = 11, 12, 13, 14, 15
  local TOP_UP, HELD_TOP_UP, USED_TOP_UP = 2, 3, 4
  local USED_CHANGE, HELD_CHANGE, PARTS = 2, 3, 4

  -- States, and the rules by which they refuse.
  local IS_HELD, PARTIAL, IS_COMMITTED, RELEASED, EXPIRED, PARKED = 1, 2, 3, 4, 5, 6
  local R_COMMITTED, R_RELEASED, R_EXPIRED, R_PARKED, R_OPEN = 3, 4, 5, 6, 7
  local R_NOT_HELD, R_OVERAGE, R_NOT_FREEABLE = 8, 9, 10
  local RECORD, CAP, REFUSE = 0, 1, 2
  local CHARGE, PARK = 1, 2
  local OVERRUN, LATE = 1, 2

  -- A record of its own to work on. What no settlement changes in place is shared with the one that was given.
  local function copy(before)
    local after = {}
    for place = 1, #before do
      after[place] = before[place]
    end
    local charges = {}
    for index, charge in ipairs(before[CHARGES]) do
      local own = {}
      for place = 1, #charge do
        own[place] = charge[place]
      end
      local levels = {}
      for place, level in ipairs(charge[LEVELS]) do
        levels[place] = {level[1], level[2], level[3], level[4]}
      end
      own[LEVELS] = levels
      charges[index] = own
    end
    after[CHARGES] = charges
    return after
  end

  local function none(index, charge)
    local parts = {}
    for level = 1, #charge[LEVELS] do
      parts[level] = {0, 0}
    end
    return {index, 0, 0, parts}
  end

  local function grow(charge, place, by)
    charge[place] = min(charge[place] + by, MAX)
  end

  local function raise_flag(record, flag)
    local flags = record[FLAGS]
    if flags % (2 * flag) < flag then
      record[FLAGS] = flags + flag
    end
  end
  settlement.raise_flag = raise_flag

  -- What was held becomes used: on each level the period's part first, then the top-up's.
  local function use_hold(charge, amount, change)
    for index, level in ipairs(charge[LEVELS]) do
      local in_period = charge[HELD] - level[HELD_TOP_UP]
      local part = max(amount - in_period, 0)
      local parts = change[PARTS][index]
      level[HELD_TOP_UP] = level[HELD_TOP_UP] - part
      level[USED_TOP_UP] = level[USED_TOP_UP] + part
      parts[1] = parts[1] + part
      parts[2] = parts[2] - part
    end
    charge[HELD] = charge[HELD] - amount
    grow(charge, COMMITTED, amount)
    change[HELD_CHANGE] = change[HELD_CHANGE] - amount
    change[USED_CHANGE] = change[USED_CHANGE] + amount
  end

  -- What was held is free again: the top-up's part goes first, so that what stays held stands in the period.
  local function release_hold(charge, amount, change)
    for index, level in ipairs(charge[LEVELS]) do
      local part = min(level[HELD_TOP_UP], amount)
      local parts = change[PARTS][index]
      level[HELD_TOP_UP] = level[HELD_TOP_UP] - part
      parts[2] = parts[2] - part
    end
    charge[HELD] = charge[HELD] - amount
    change[HELD_CHANGE] = change[HELD_CHANGE] - amount
  end

  -- What was used from the top-up goes back there first.
  local function return_top_up(charge, amount, change)
    for index, level in ipairs(charge[LEVELS]) do
      local part = min(level[USED_TOP_UP], amount)
      local parts = change[PARTS][index]
      level[USED_TOP_UP] = level[USED_TOP_UP] - part
      parts[1] = parts[1] - part
    end
    change[USED_CHANGE] = change[USED_CHANGE] - amount
  end

  -- What was charged goes back: the top-up's part first.
  local function give_back(charge, amount, change)
    return_top_up(charge, amount, change)
    charge[COMMITTED] = charge[COMMITTED] - amount
  end

  -- Use beyond the hold: the period's rest first, then the top-up's, then the period goes below zero.
  local function use_more(charge, amount, rooms, change)
    for index, level in ipairs(charge[LEVELS]) do
      local room = rooms[index]
      local rest = room.rest and max(room.rest, 0) or amount
      local part = min(max(amount - rest, 0), room.top_up)
      local parts = change[PARTS][index]
      level[USED_TOP_UP] = level[USED_TOP_UP] + part
      parts[1] = parts[1] + part
    end
    grow(charge, COMMITTED, amount)
    change[USED_CHANGE] = change[USED_CHANGE] + amount
  end

  -- Takes an admitted amount, held or used at once; `top_up` is by level the part that stands in the top-up.
  local function take(charge, amount, top_up, at_once, change)
    for index, level in ipairs(charge[LEVELS]) do
      local part = top_up[index] or 0
      local parts = change[PARTS][index]
      if at_once then
        level[USED_TOP_UP] = level[USED_TOP_UP] + part
        parts[1] = parts[1] + part
      else
        level[HELD_TOP_UP] = level[HELD_TOP_UP] + part
        parts[2] = parts[2] + part
      end
    end
    local figure, place = COMMITTED, USED_CHANGE
    if not at_once then
      figure, place = HELD, HELD_CHANGE
    end
    grow(charge, figure, amount)
    change[place] = change[place] + amount
  end

  local function take_by_rule(charge, amount, top_up, change)
    local at_once = charge[ON_RESERVE] == 1
    take(charge, amount, top_up, at_once, change)
    if at_once then
      grow(charge, UNCONFIRMED, amount)
    end
  end

  local function first_by_charge(matched)
    local items = {}
    for _, item in ipairs(matched) do
      items[item[1]] = items[item[1]] or item
    end
    return items
  end

  -- Whether it still holds something, or may.
  function settlement.is_open(record)
    local state = record[STATE]
    return state == IS_HELD or state == PARTIAL or state == PARKED
  end

  -- Whether anything that can be freed is still in use.
  function settlement.occupies(record)
    for _, charge in ipairs(record[CHARGES]) do
      if charge[ALLOCATION] == 1 and charge[COMMITTED] > charge[FREED] then
        return true
      end
    end
    return false
  end

  -- What a charge stands for when nobody says an amount: what is held, what the deadline charged, what it gave back.
  function settlement.as_held(charge)
    return min(charge[HELD] + charge[UNCONFIRMED] + charge[LAPSED], MAX)
  end

  -- Whether a change moves nothing.
  function settlement.is_empty(change)
    if change[USED_CHANGE] ~= 0 or change[HELD_CHANGE] ~= 0 then
      return false
    end
    for _, parts in ipairs(change[PARTS]) do
      if parts[1] ~= 0 or parts[2] ~= 0 then
        return false
      end
    end
    return true
  end

  -- Matches what a call lists, {{match, amount or -1}, ...}, with the record's charges; nothing listed: all, as held.
  function settlement.matched(record, listed)
    local charges, matched = record[CHARGES], {}
    if #listed == 0 then
      for index = 1, #charges do
        matched[index] = {index, -1}
      end
      return matched
    end
    for number, item in ipairs(listed) do
      for index, charge in ipairs(charges) do
        if charge[MATCH] == item[1] then
          matched[number] = {index, item[2]}
          break
        end
      end
      if not matched[number] then
        return nil, R_NOT_HELD, number - 1
      end
    end
    return matched
  end

  -- Whether a commit needs to know the limits: it goes above its hold where a rule or a top-up asks what fits.
  function settlement.needs_room(record, matched)
    local open = settlement.is_open(record)
    for _, item in ipairs(matched) do
      local charge = record[CHARGES][item[1]]
      local amount = item[2] >= 0 and item[2] or settlement.as_held(charge)
      if amount > charge[HELD] + charge[UNCONFIRMED] then
        if open and charge[OVERAGE] ~= RECORD then
          return true
        end
        for _, level in ipairs(charge[LEVELS]) do
          if level[TOP_UP] == 1 then
            return true
          end
        end
      end
    end
    return false
  end

  -- The use that goes above what a charge stands for, by its overage rule; `room(charge, level, changes)` answers the
  -- rest of that level (nil: nothing limits) and its top-up's rest. Answers whether it was recorded.
  local function use_beyond(after, index, extra, late, room, changes)
    local charge = after[CHARGES][index]
    local rooms, fits = {}, nil
    for level = 1, #charge[LEVELS] do
      local rest, top_up = room(index, level, changes)
      rooms[level] = {rest = rest, top_up = top_up}
      if rest then
        local fit = max(rest, 0) + top_up
        fits = fits and min(fits, fit) or fit
      end
    end
    if extra > charge[LAPSED] then
      raise_flag(after, OVERRUN)
    end
    if fits and not late then
      if charge[OVERAGE] == REFUSE and extra > fits then
        return false
      elseif charge[OVERAGE] == CAP then
        extra = min(extra, fits)
      end
    end
    charge[LAPSED] = charge[LAPSED] - min(extra, charge[LAPSED])
    use_more(charge, extra, rooms, changes[index])
    return true
  end

  -- Commit: turns what is held into what is used, with the amounts that were really used, in whatever state the
  -- reservation is, unless it was committed or released already.
  function settlement.commit(before, matched, final, room)
    local state = before[STATE]
    if state == IS_COMMITTED then
      return nil, R_COMMITTED, -1
    elseif state == RELEASED then
      return nil, R_RELEASED, -1
    end
    local late = state == EXPIRED
    local after, changes, extras = copy(before), {}, {}
    local items = first_by_charge(matched)

    -- First what is covered: what the hold, or a charge at expiry, already stands for.
    for index, charge in ipairs(after[CHARGES]) do
      local item, change, amount = items[index], none(index, charge), 0
      if item then
        amount = item[2] >= 0 and item[2] or settlement.as_held(charge)
        local confirmed = min(amount, charge[UNCONFIRMED])
        charge[UNCONFIRMED] = charge[UNCONFIRMED] - confirmed
        local covered = min(amount - confirmed, charge[HELD])
        use_hold(charge, covered, change)
        extras[#extras + 1] = {index, amount - confirmed - covered}
      end
      if final then
        release_hold(charge, charge[HELD], change)
        if charge[ON_RESERVE] == 0 then
          -- What was freed meanwhile has gone back already.
          give_back(charge, min(charge[UNCONFIRMED], charge[COMMITTED] - charge[FREED]), change)
        end
        charge[UNCONFIRMED] = 0
        charge[FINAL] = amount
      end
      changes[index] = change
    end

    -- Then what goes above, against what that leaves.
    for _, extra in ipairs(extras) do
      if extra[2] > 0 and not use_beyond(after, extra[1], extra[2], late, room, changes) then
        return nil, R_OVERAGE, extra[1] - 1
      end
    end

    if late then
      raise_flag(after, LATE)
    end
    if final then
      after[STATE] = IS_COMMITTED
    elseif not late and state ~= PARKED then
      after[STATE] = PARTIAL
    end
    return after, changes
  end

  -- Whether a second final commit asks for what the first recorded: then it is a repeat, not another amount.
  function settlement.repeats_commit(before, matched, as_held)
    if as_held then
      return true
    end
    local items = first_by_charge(matched)
    for index, charge in ipairs(before[CHARGES]) do
      local item, amount = items[index], 0
      if item then
        amount = item[2] >= 0 and item[2] or charge[FINAL]
      end
      if amount ~= charge[FINAL] then
        return false
      end
    end
    return true
  end

  -- What a release finds by the state alone: "open", or "gone" (it has no effect), or nil and the rule.
  function settlement.releasable(before)
    local state = before[STATE]
    if state == IS_COMMITTED then
      return nil, R_COMMITTED, -1
    elseif state == EXPIRED then
      for _, charge in ipairs(before[CHARGES]) do
        if charge[UNCONFIRMED] > 0 then
          return nil, R_COMMITTED, -1
        end
      end
    end
    return settlement.is_open(before) and "open" or "gone"
  end

  -- Release of an open reservation: gives back what is held, all of it or what is listed.
  function settlement.release(before, matched, all)
    local after, changes, holds = copy(before), {}, false
    local items = first_by_charge(matched)
    for index, charge in ipairs(after[CHARGES]) do
      local item = items[index]
      if all or item then
        local amount = charge[HELD]
        if item and item[2] >= 0 then
          amount = min(item[2], amount)
        end
        local change = none(index, charge)
        release_hold(charge, amount, change)
        changes[#changes + 1] = change
      end
      holds = holds or charge[HELD] > 0
    end
    if all or not holds then
      after[STATE] = RELEASED
    end
    return after, changes
  end

  -- Extend: moves the deadline, never earlier, and raises holds by what was admitted: {{charge (from 1), amount, parts in
  -- the top-up by level}, ...}.
  function settlement.extend(before, expire_time, raised)
    local refusal = ({[IS_COMMITTED] = R_COMMITTED, [RELEASED] = R_RELEASED, [EXPIRED] = R_EXPIRED, [PARKED] = R_PARKED})
    if refusal[before[STATE]] then
      return nil, refusal[before[STATE]], -1
    end
    local after, changes = copy(before), {}
    after[EXPIRE_TIME] = max(after[EXPIRE_TIME], expire_time)
    for number, raise in ipairs(raised) do
      local charge = after[CHARGES][raise[1]]
      local change = none(raise[1], charge)
      take_by_rule(charge, raise[2], raise[3], change)
      changes[number] = change
    end
    return after, changes
  end

  -- The change that takes a new reservation's charge, in place: held, or used at once where the meter charges on reserve;
  -- what is used at once waits for a commit to confirm it.
  function settlement.take_new(index, charge, amount, top_up)
    local change = none(index, charge)
    take_by_rule(charge, amount, top_up, change)
    return change
  end

  -- The change that records a charge for good, in place, without a hold: Consume, and a commit that nobody held for.
  function settlement.record_new(index, charge, amount, top_up)
    local change = none(index, charge)
    take(charge, amount, top_up, true, change)
    charge[FINAL] = amount
    return change
  end

  -- The deadline passes: each charge's hold goes by its meter's expiry rule.
  function settlement.expire(before)
    local after, changes, parked = copy(before), {}, false
    for index, charge in ipairs(after[CHARGES]) do
      local change, held = none(index, charge), charge[HELD]
      if charge[EXPIRY] == CHARGE then
        use_hold(charge, held, change)
        grow(charge, UNCONFIRMED, held)
      elseif charge[EXPIRY] == PARK then
        parked = parked or held > 0
      else
        release_hold(charge, held, change)
        grow(charge, LAPSED, held)
      end
      changes[index] = change
    end
    after[STATE] = parked and PARKED or EXPIRED
    return after, changes
  end

  -- Free by reservation: gives back what its allocation charges committed, as far as `left(charge, changes)` says that it
  -- is still there. A second one finds nothing. A third answer has the amounts, by charge.
  function settlement.free(before, left)
    if settlement.is_open(before) then
      return nil, R_OPEN, -1
    end
    for index, charge in ipairs(before[CHARGES]) do
      if charge[ALLOCATION] == 0 then
        return nil, R_NOT_FREEABLE, index - 1
      end
    end
    local after, changes, freed = copy(before), {}, {}
    for index, charge in ipairs(after[CHARGES]) do
      local change = none(index, charge)
      local amount = min(charge[COMMITTED] - charge[FREED], left(index, changes))
      return_top_up(charge, amount, change)
      -- What is not left was given back by amount.
      charge[FREED] = charge[COMMITTED]
      changes[index] = change
      freed[index] = amount
    end
    return after, changes, freed
  end

  -- A repeat that came too late to be recognised is undone: what it holds and used goes back, as if it had never been.
  function settlement.reverse(before)
    local after, changes = copy(before), {}
    for index, charge in ipairs(after[CHARGES]) do
      local change = none(index, charge)
      local held, committed = charge[HELD], charge[COMMITTED] - charge[FREED]
      release_hold(charge, held, change)
      give_back(charge, committed, change)
      charge[UNCONFIRMED] = 0
      changes[index] = change
    end
    after[STATE] = RELEASED
    return after, changes
  end
end
