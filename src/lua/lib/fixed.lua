-- What every call reads and most write, packed with each number in as many bytes as any other (MessagePack's doubles): whoever
-- knows the places need not take the whole apart (`quick/read.lua`), and whoever reads MessagePack need not know that.

local fixed = {}

do
  local NUMBER = 203

  -- The partition's state. Ids of a server that have other lengths than Redis gives them are packed as they come.
  function fixed.meta(meta)
    local seqs, denials = meta[M_SLICE_SEQS], meta[M_SLICE_DENIALS]
    if #meta[M_RUN_ID] ~= 40 or #meta[M_REPLID] ~= 40 then
      return cmsgpack.pack(meta)
    end
    return '\220\0\20' .. struct.pack(
      '>BBdBBc40BBc40BBdBdBdBdBdBdBBdBBdBBdBdBdBBdBdBdBdBdBd',
      meta[1], NUMBER, meta[M_INCARNATION], 217, 40, meta[M_RUN_ID], 217, 40, meta[M_REPLID], meta[M_OPEN],
      NUMBER, meta[M_NOW], NUMBER, meta[M_SEQ], NUMBER, meta[M_FLUSHED],
      NUMBER, meta[M_COMPLETE], NUMBER, meta[M_IDS_COMPLETE], NUMBER, meta[M_FLOOR],
      meta[M_GENERATION], NUMBER, meta[M_GENERATION_AT], meta[M_SLICE], NUMBER, meta[M_SLICE_AT],
      147, NUMBER, seqs[1], NUMBER, seqs[2], NUMBER, seqs[3], 147, NUMBER, denials[1], NUMBER, denials[2], NUMBER, denials[3],
      NUMBER, meta[M_CURSOR], NUMBER, meta[M_RESERVATIONS], NUMBER, meta[M_COUNTERS]
    )
  end

  -- What is known of a tenant.
  function fixed.tenant(known)
    return '\149' .. struct.pack('>BdBdBdBdBd', NUMBER, known[1], NUMBER, known[2], NUMBER, known[3], NUMBER, known[4], NUMBER, known[5])
  end
end
