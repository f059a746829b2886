-- How one charge of a reservation moves: taken, used, released, given back, with the change that this is on every
-- account of its path. What the operations of `domain/settlement.rs` share; the charge that is given is changed.
--
-- A change is {charge (from 1), used, held, {{used top-up, held top-up}, ...} by level}; what goes back is below zero.
-- Example: of a hold of 10 with 4 in the top-up, holds.use(charge, 8, change) makes {1, 8, -8, {{2, -2}}}.

local holds = {}

do
  local min, max = math.min, math.max

  -- A record of its own to work on. What no settlement changes in place is shared with the one that was given.
  function holds.copy(before)
    local after = {}
    for place = 1, #before do
      after[place] = before[place]
    end
    local charges = {}
    for index, charge in ipairs(before[R_CHARGES]) do
      local own = {}
      for place = 1, #charge do
        own[place] = charge[place]
      end
      local levels = {}
      for place, level in ipairs(charge[C_LEVELS]) do
        levels[place] = {level[1], level[2], level[3], level[4]}
      end
      own[C_LEVELS] = levels
      charges[index] = own
    end
    after[R_CHARGES] = charges
    return after
  end

  -- The change of a charge that does not move.
  function holds.unchanged(index, charge)
    local parts = {}
    for level = 1, #charge[C_LEVELS] do
      parts[level] = {0, 0}
    end
    return {index, 0, 0, parts}
  end

  -- Adds to a figure that stays within its range, like every counter.
  function holds.grow(charge, place, by)
    charge[place] = min(charge[place] + by, MAX)
  end

  -- A part was priced: from now on the charge's price state is this. The change keeps the one before.
  function holds.price(charge, after, change)
    change[D_PRICE] = charge[C_PRICE] or ''
    charge[C_PRICE], charge[C_ESTIMATE], charge[C_PRICED] = after, charge[C_ESTIMATE] or '', 1
  end

  -- What was held becomes used: on each level the period's part first, then the top-up's.
  function holds.use(charge, amount, change)
    for index, level in ipairs(charge[C_LEVELS]) do
      local in_period = charge[C_HELD] - level[L_HELD]
      local part = max(amount - in_period, 0)
      local parts = change[D_PARTS][index]
      level[L_HELD] = level[L_HELD] - part
      level[L_USED] = level[L_USED] + part
      parts[1] = parts[1] + part
      parts[2] = parts[2] - part
    end
    charge[C_HELD] = charge[C_HELD] - amount
    holds.grow(charge, C_COMMITTED, amount)
    change[D_HELD] = change[D_HELD] - amount
    change[D_USED] = change[D_USED] + amount
  end

  -- What was held is free again: the top-up's part goes first, so that what stays held stands in the period.
  function holds.release(charge, amount, change)
    for index, level in ipairs(charge[C_LEVELS]) do
      local part = min(level[L_HELD], amount)
      local parts = change[D_PARTS][index]
      level[L_HELD] = level[L_HELD] - part
      parts[2] = parts[2] - part
    end
    charge[C_HELD] = charge[C_HELD] - amount
    change[D_HELD] = change[D_HELD] - amount
  end

  -- What was used goes back: the top-up's part first, as far as that has it and the period does not lack it. `there` is by
  -- level what the period and the top-up have in use; nil: nothing says it.
  function holds.return_use(charge, amount, there, change)
    for index, level in ipairs(charge[C_LEVELS]) do
      local part = min(level[L_USED], amount)
      if there then
        part = max(min(part, there[index][2]), amount - there[index][1])
      end
      local parts = change[D_PARTS][index]
      level[L_USED] = max(level[L_USED] - part, 0)
      parts[1] = parts[1] - part
    end
    change[D_USED] = change[D_USED] - amount
  end

  -- What was charged was not used: it goes back, as far as `left` says that it is still there.
  function holds.give_back(charge, amount, left, there, change)
    holds.return_use(charge, min(amount, left), there, change)
    charge[C_COMMITTED] = charge[C_COMMITTED] - amount
  end

  -- Use beyond the hold: the period's rest first, then the top-up's, then the period goes below zero.
  function holds.use_more(charge, amount, rooms, change)
    for index, level in ipairs(charge[C_LEVELS]) do
      local room = rooms[index]
      local rest = room.rest and max(room.rest, 0) or amount
      local part = min(max(amount - rest, 0), room.top_up)
      local parts = change[D_PARTS][index]
      level[L_USED] = level[L_USED] + part
      parts[1] = parts[1] + part
    end
    holds.grow(charge, C_COMMITTED, amount)
    change[D_USED] = change[D_USED] + amount
  end

  -- Takes an admitted amount, held or used at once; `top_up` is by level the part that stands in the top-up.
  function holds.take(charge, amount, top_up, at_once, change)
    for index, level in ipairs(charge[C_LEVELS]) do
      local part = top_up[index] or 0
      local parts = change[D_PARTS][index]
      if at_once then
        level[L_USED] = level[L_USED] + part
        parts[1] = parts[1] + part
      else
        level[L_HELD] = level[L_HELD] + part
        parts[2] = parts[2] + part
      end
    end
    local figure, place = C_COMMITTED, D_USED
    if not at_once then
      figure, place = C_HELD, D_HELD
    end
    holds.grow(charge, figure, amount)
    change[place] = change[place] + amount
  end

  -- Takes an admitted amount by the meter's rule: held, or used at once and then waiting for a commit to confirm it.
  function holds.take_by_rule(charge, amount, top_up, change)
    local at_once = charge[C_ON_RESERVE] == 1
    holds.take(charge, amount, top_up, at_once, change)
    if at_once then
      holds.grow(charge, C_UNCONFIRMED, amount)
    end
  end
end
