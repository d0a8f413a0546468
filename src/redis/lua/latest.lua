#!lua flags=no-writes
-- Reads a page of a channel's state: the newest event of each key, in the order of the events' ids. One script, so that the events
-- and the tail belong to the same moment. The script writes nothing, so it runs where writes are refused.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- KEYS[4]  the newest event of each key
-- KEYS[5]  the order of these events
-- ARGV[1]  the place after which to read; empty for the first page
-- ARGV[2]  the largest number of events in the page
-- ARGV[3]  the largest number of bytes of values in the page; one value may be larger
--
-- Result   {tail, mark, place, values, values, …}; the mark is empty, 'ended' or 'cleared'; the place is that of the page's last
--          event, and empty when the state has no more events; a value is an id, a blank and a record

-- One command copies at most this many values, and about this many bytes, which can be too many for the page.
local MAX_COPIED, MAX_COPIED_BYTES = 1000, 262144
-- Each command takes Redis 1 µs. A page has at most this many, so it may end early when one value is or was large. A state with less
-- memory than MAX_STATE_BYTES needs fewer: each command may copy MAX_COPIED of its values. A larger one has more than 2 MiB of values.
local MAX_COMMANDS, MAX_STATE_BYTES = 2000, 6291456

local state, order, limit, max_bytes = KEYS[4], KEYS[5], tonumber(ARGV[2]), tonumber(ARGV[3])
local stored, mark_of_tail = stored_tail(KEYS[2])
local tail = newest_id(KEYS[1], stored)
local mark = tail == stored and mark_of_tail or ''
local result = {tail, mark, ''}
-- A state without a tail is older than what the tail knew, and is gone. So is a state that an older version of the broker has left
-- when it cleared the channel.
if not stored or mark_of_tail == 'cleared' then return result end

local from = ARGV[1] == '' and '-inf' or '(' .. ARGV[1]
local fields = redis.call('ZRANGEBYSCORE', order, from, '+inf', 'LIMIT', '0', limit + 1)
-- The largest value says how many values one command may copy. To ask for the size of each value would take longer.
local largest = whole_number(redis.call('HGET', state, 'largest')) or MAX_COPIED_BYTES
local copied = math.max(1, math.min(MAX_COPIED, math.floor(MAX_COPIED_BYTES / largest)))
local wanted = math.min(#fields, limit)
if wanted > copied * MAX_COMMANDS then
  -- Looks at every value, and copies none.
  if redis.call('MEMORY', 'USAGE', state, 'SAMPLES', '0') < MAX_STATE_BYTES then copied = MAX_COPIED end
  wanted = math.min(wanted, copied * MAX_COMMANDS)
end
local count, bytes = 0, 0
while count < wanted do
  local values = redis.call('HMGET', state, unpack(fields, count + 1, math.min(count + copied, wanted)))
  local number, fit = #values, 0
  for i = 1, number do
    bytes = bytes + #(values[i] or '')
    if bytes > max_bytes and count + fit > 0 then break end
    fit = i
  end
  count = count + fit
  if fit == number then
    result[#result + 1] = values
  else
    if fit > 0 then result[#result + 1] = {unpack(values, 1, fit)} end
    break
  end
end
if count < #fields then result[3] = redis.call('ZSCORE', order, fields[count]) end
return result
