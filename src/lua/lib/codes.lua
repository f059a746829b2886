#!lua
-- Named numbers of the contract: verbs, reply codes, rules, states, kinds, and places in what is packed by position.
-- They are plain locals of the one chunk that all files are joined into, so a use costs no look-up in a table.

-- The greatest amount, and the ends of time.
local MAX = 9007199254740991

-- Verbs, as far as a script asks for them by name.
local VERB_RESERVE, VERB_EXTEND, VERB_FREE, VERB_FREE_AMOUNTS, VERB_GET, VERB_ADJUST = 2, 5, 6, 7, 8, 15

-- Reply codes.
local IS_RESERVATION, IS_VALUES, IS_DENIED, IS_EXTENDED, IS_FREED, IS_REFUSED = 1, 2, 3, 4, 5, 6
local IS_AGAIN, IS_REPLAN, IS_STALE, IS_MISS, IS_NEED_PLAN, IS_OVERLOADED, IS_DONE, IS_REPRICE = 7, 8, 9, 10, 11, 12, 13, 14

-- Rules by which an operation is refused.
local RULE_ID_REUSED, RULE_NOT_FOUND, RULE_CAP_OPEN, RULE_CAP_COUNTERS = 1, 2, 11, 12
local RULE_COMMITTED, RULE_RELEASED, RULE_EXPIRED, RULE_PARKED, RULE_OPEN = 3, 4, 5, 6, 7
local RULE_NOT_HELD, RULE_OVERAGE, RULE_NOT_FREEABLE = 8, 9, 10
local RULE_BELOW_ZERO, RULE_UNEXPECTED, RULE_PERIOD_ENDED = 13, 14, 15

-- States of a reservation.
local HELD, PARTIALLY_COMMITTED, COMMITTED, RELEASED, EXPIRED, PARKED = 1, 2, 3, 4, 5, 6

-- Kinds of an effect.
local KIND_RESERVE, KIND_COMMIT, KIND_RELEASE, KIND_EXTEND = 1, 2, 3, 4
local KIND_CONSUME, KIND_FREE, KIND_EXPIRE, KIND_REVERSE, KIND_ADJUST = 5, 6, 7, 8, 9

-- Flags of a reservation.
local FLAG_LATE, FLAG_RECOVERED, FLAG_SATURATED = 2, 4, 16
local FLAG_OVERRUN = 1

-- A meter's rules in a charge.
local OVERAGE_RECORD, OVERAGE_CAP, OVERAGE_REFUSE = 0, 1, 2
local EXPIRY_CHARGE, EXPIRY_PARK = 1, 2

-- Places in a record, in a charge, in a level, in a change.
local R_TENANT, R_KEY, R_FINGERPRINT, R_STATE, R_FLAGS = 2, 3, 4, 5, 6
local R_CREATE_TIME, R_EXPIRE_TIME, R_CHARGES, R_REQUESTS = 7, 8, 9, 10
local C_METER, C_CHAIN, C_ASKED, C_FREED, C_LEVELS = 2, 3, 4, 9, 15
local C_MATCH, C_HELD, C_COMMITTED, C_UNCONFIRMED, C_LAPSED, C_FINAL = 1, 5, 6, 7, 8, 10
local C_OVERAGE, C_EXPIRY, C_ON_RESERVE, C_ALLOCATION = 11, 12, 13, 14
local C_PRICE, C_ESTIMATE, C_PRICED = 16, 17, 18
local L_ACCOUNT = 1
local L_TOP_UP, L_HELD, L_USED = 2, 3, 4
local D_CHARGE, D_USED, D_HELD, D_PARTS, D_PRICE = 1, 2, 3, 4, 5

-- Places in an operation, in its plan, in what the ledger knows of its ids.
local O_VERB, O_TENANT, O_VERSION, O_REQUEST, O_FINGERPRINT, O_PLAN, O_KNOWN = 1, 2, 3, 4, 5, 6, 7
local P_FROM, P_TO, P_COUNTERS, P_PATHS, P_DEMANDS = 1, 2, 3, 4, 5
local K_RESERVATION, K_REQUEST, K_AS_OF = 1, 2, 3

-- Places in a planned counter, in a planned window; kinds of planned windows beyond those with a period.
local B_KEY, B_TOP_UP, B_WINDOWS = 1, 2, 3
local W_ID, W_KIND, W_START, W_STOP, W_STEP, W_LIMIT, W_ENFORCED, W_HOLD_CAP = 1, 2, 3, 4, 5, 6, 7, 8
local WINDOW_LIFETIME, WINDOW_SLIDING, WINDOW_RATE = 0, 8, 9

-- Kinds of gauges in a counter's value.
local GAUGE_PERIOD, GAUGE_SLIDING, GAUGE_RATE = 0, 1, 2

-- Places in `meta`.
local M_INCARNATION, M_RUN_ID, M_REPLID, M_OPEN, M_NOW, M_SEQ, M_FLUSHED = 2, 3, 4, 5, 6, 7, 8
local M_COMPLETE, M_IDS_COMPLETE, M_FLOOR, M_GENERATION, M_GENERATION_AT = 9, 10, 11, 12, 13
local M_SLICE, M_SLICE_AT, M_SLICE_SEQS, M_SLICE_DENIALS, M_CURSOR, M_RESERVATIONS, M_COUNTERS = 14, 15, 16, 17, 18, 19, 20

-- Places in KEYS.
local KEY_META, KEY_TENANTS, KEY_RESERVATIONS, KEY_REQUESTS, KEY_DEADLINES = 1, 2, 3, 4, 5
local KEY_COUNTERS, KEY_OUTCOMES, KEY_JOURNAL = 6, 8, 11

-- The working set, the journal and the ids name each other: they are declared before any of them is filled.
local store, journal, ids = {}, {}, {}

-- A file whose functions are made when the first of them is asked for: most calls need few of the verbs.
local MADE_LATER = {
  __index = function(own, name)
    for known, made in pairs(own.make()) do
      own[known] = made
    end
    return rawget(own, name)
  end,
}

local function lazy(make)
  return setmetatable({make = make}, MADE_LATER)
end
