#!lua flags=no-writes
-- Reads a channel's tail and its mark.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
--
-- Result   {tail, mark}; the mark is empty, 'ended' or 'cleared'

local stored, mark = stored_tail(KEYS[2])
local tail = newest_id(KEYS[1], stored)
if tail ~= stored then mark = '' end
return {tail, mark}
