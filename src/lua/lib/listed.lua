-- What a settlement lists: matched with the charges of a record, and how it is priced. Prices are made by the server; here two
-- price states are compared, and one is put in the place of the other (the twin of what `domain/settlement.rs` says of them).

local listed = {}

do
  -- Matches what a call lists, {{match, amount or -1, price state before, after}, ...} (the states where it was priced), with
  -- the record's charges: {{charge (from 1), amount or -1, before, after}, ...}; nothing listed: all, as held. Or nil, the rule
  -- and the index of what is not held.
  function listed.matched(record, items)
    local charges, matched = record[R_CHARGES], {}
    if #items == 0 then
      for index = 1, #charges do
        matched[index] = {index, -1}
      end
      return matched
    end
    for number, item in ipairs(items) do
      for index, charge in ipairs(charges) do
        if charge[C_MATCH] == item[1] then
          matched[number] = {index, item[2], item[3], item[4]}
          break
        end
      end
      if not matched[number] then
        return nil, RULE_NOT_HELD, number - 1
      end
    end
    return matched
  end

  -- Whether what is listed must be priced, by the prices that the record froze and on what was priced so far. Of what was
  -- committed, the state after it tells a repeat.
  function listed.needs_price(record, matched)
    local committed = record[R_STATE] == COMMITTED
    for _, item in ipairs(matched) do
      local price = record[R_CHARGES][item[1]][C_PRICE] or ''
      if item[3] and item[3] ~= price and not (committed and item[4] == price) then
        return true
      end
    end
    return false
  end

  -- The price state after a commit of an amount: that of the quantities, or of the estimate where it was true; or nil.
  function listed.price(charge, item, amount)
    if item[3] then
      return item[4]
    end
    local estimate = charge[C_ESTIMATE] or ''
    return item[2] < 0 and estimate ~= '' and charge[C_PRICED] == 0 and charge[C_ASKED] == amount and estimate or nil
  end
end
