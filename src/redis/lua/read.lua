#!lua flags=no-writes
-- Reads a page of a channel's events, and whether the stream proves that no event is missing before the page. One script,
-- so that the events, the tail and the proof belong to the same moment. The index says how many events make a page, so the
-- script copies at most one event that does not fit. The script writes nothing, so it runs where writes are refused.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- ARGV[1]  the id after which to read
-- ARGV[2]  the largest number of events in the page
-- ARGV[3]  the largest number of bytes in the page; one event may be larger
-- ARGV[4]  how many events are kept: older events count as gone, whether or not they have been trimmed
-- ARGV[5]  how long an event is kept, ms: older events count as gone, too
--
-- Result   {tail, 1 when complete else 0, room, 1 when the channel has ended at the tail else 0, id, prev, record, id, prev,
--          record, …}; room is how many more events the channel takes before the first event of the page is gone; 0 when
--          this is not known

local log, tail_key, ids = KEYS[1], KEYS[2], KEYS[3]
local after, limit, max_bytes, size = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local length = redis.call('LLEN', ids)
local stored, mark = stored_tail(tail_key)
local tail = newest_id(log, stored)
local ended = tail == stored and mark == 'ended' and 1 or 0
if not before(after, tail) then return {tail, after == tail and 1 or 0, 0, ended} end

-- Events up to this id were read before, or are gone. `last` advances with each event of the page.
local last = after
local expired = last_expired(ARGV[5])
if expired and before(last, expired) then last = expired end
if length > size then
  local dropped = id_of(redis.call('LINDEX', ids, length - size - 1))
  if before(last, dropped) then last = dropped end
end

local result, count, bytes, chained = {tail, 0, 0, ended}, 0, 0, nil
-- Adds an entry of the stream to the page. False when the page ends before it.
local function take(entry)
  last = entry[1]
  local prev, record = event_of(entry, chained)
  if not prev then return true end
  if count == 0 then
    -- When the position is the predecessor of the oldest event after it, no event is missing.
    if prev == after then result[2] = 1 end
  elseif prev ~= chained or count == limit or bytes + #record > max_bytes then
    -- Entries were deleted where the chain is broken. The next page starts here and is not complete.
    return false
  end
  chained, count, bytes = last, count + 1, bytes + #record
  local at = #result
  result[at + 1], result[at + 2], result[at + 3] = last, prev, record
  return true
end

local index = index_after(ids, length, last)

-- The regular case: the index says which events make the page.
local function take_indexed()
  if index >= length then return false end
  local elements = redis.call('LRANGE', ids, index, index + limit)
  if index == 1 and #redis.call('XRANGE', log, '(' .. last, '(' .. id_of(elements[1]), 'COUNT', 1) > 0 then
    return false
  end
  local planned, planned_bytes, full = 0, 0, false
  for _, element in ipairs(elements) do
    local event_bytes = tonumber(string.match(element, '^%S+ (%d+)$'))
    full = planned > 0 and (planned == limit or planned_bytes + event_bytes > max_bytes)
    if full then break end
    planned, planned_bytes = planned + 1, planned_bytes + event_bytes
  end
  local to = id_of(elements[planned])
  local entries = redis.call('XRANGE', log, '(' .. last, to, 'COUNT', planned)
  for _, entry in ipairs(entries) do
    if not take(entry) then return true end
  end
  if result[5] and stored == tail and result[5] == id_of(redis.call('LINDEX', ids, index)) then
    result[3] = math.max(0, size - (length - index))
  end
  -- True when the page is full or has the newest event.
  return last == to and (full or to == tail)
end

if not take_indexed() then
  -- The stream has entries that the index lacks. Reads one entry at a time, because the sizes of entries are not known.
  for _ = 1, 4 * limit do
    local entry = redis.call('XRANGE', log, '(' .. last, tail, 'COUNT', 1)[1]
    if not entry or not take(entry) then break end
  end
end
return result
