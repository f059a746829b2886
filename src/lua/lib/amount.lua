-- Exact amounts: whole numbers from 0 to 2^53-1. Only here are figures added that could leave that range (the twin of
-- `domain/amount.rs`). A sum beyond 2^53 may be inexact in a double, but never so much that it would come back inside.

local amount = {}

do
  local fmod = math.fmod

  -- The figure, cut to its range.
  function amount.clamp(figure)
    if figure < 0 then
      return 0
    elseif figure > MAX then
      return MAX
    end
    return figure
  end

  -- The figure moved within its range, and whether it was cut at the top.
  function amount.shift(figure, by)
    local moved = figure + by
    if moved > MAX then
      return MAX, true
    elseif moved < 0 then
      return 0, false
    end
    return moved, false
  end

  -- The greatest whole number not above `a / b`, for `b` above 0. `%` and `/` round where numbers are large; this does
  -- not.
  function amount.floor_div(a, b)
    local rest = fmod(a, b)
    if rest < 0 then
      return (a - rest) / b - 1
    end
    return (a - rest) / b
  end

  -- The least whole number not below `a / b`, for `b` above 0.
  function amount.ceil_div(a, b)
    return -amount.floor_div(-a, b)
  end
end
