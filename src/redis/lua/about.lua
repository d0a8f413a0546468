#!lua flags=no-writes
-- Describes a channel by its index. After an older version of the broker has appended, first event and length are estimates.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- KEYS[4]  the newest event of each key
-- KEYS[5]  the order of these events
-- ARGV[1]  how many events are kept
-- ARGV[2]  how long an event is kept, ms
--
-- Result   {tail, mark, the id of the first kept event, the number of kept events, bytes, keys}; the mark is empty,
--          'ended' or 'cleared'; without a kept event the id is empty; bytes is the memory of all five keys, from a few samples;
--          keys is the number of keys that the channel has

local log, tail_key, ids, size = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])
local stored, mark_of_tail = stored_tail(tail_key)
local tail = newest_id(log, stored)
local mark = tail == stored and mark_of_tail or ''
-- A channel without a tail has no state, nor has one that an older version of the broker has cleared; see latest.lua.
local has_state = stored and mark_of_tail ~= 'cleared'
local bytes = 0
for _, key in ipairs(KEYS) do bytes = bytes + (redis.call('MEMORY', 'USAGE', key) or 0) end

local elements = redis.call('LLEN', ids)
local start = first_kept(ids, elements, size, ARGV[2])
local count = math.max(0, elements - start)
local first = count > 0 and id_of(redis.call('LINDEX', ids, start)) or ''
if start <= 1 and count < size then
  -- The stream may have events before the index, or there is no index.
  local expired = last_expired(ARGV[2])
  local from, to = expired and '(' .. expired or '-', count > 0 and '(' .. first or '+'
  local entry = redis.call('XRANGE', log, from, to, 'COUNT', 1)[1]
  if entry and event_of(entry) then
    first, count = entry[1], math.min(size, redis.call('XLEN', log))
  end
end
return {tail, mark, first, count, bytes, has_state and redis.call('ZCARD', KEYS[5]) or 0}
