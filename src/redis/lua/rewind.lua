#!lua flags=no-writes
-- Finds the id that precedes the newest events of a channel. Uses the index alone if possible, because records can be large.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- ARGV[1]  how many events; 0 returns the tail
-- ARGV[2]  how many events are kept
-- ARGV[3]  how long an event is kept, ms
--
-- Result   the predecessor of the oldest of those events, or the tail when there are no events

-- Limits for reading entries that the index lacks, because Redis copies each entry whole.
local MAX_WALKED, MAX_WALKED_BYTES = 512, 262144

local log, tail_key, ids = KEYS[1], KEYS[2], KEYS[3]
local wanted = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]))
local stored = stored_tail(tail_key)
local tail = newest_id(log, stored)
if wanted == 0 then return tail end
local expired = last_expired(ARGV[3])

-- Reads the stream backwards, for events that an older version of the broker has appended. Reads up to `count` events before
-- `to` and returns the predecessor of the oldest of them.
local function walk(to, count)
  local found, bytes = nil, 0
  for _ = 1, MAX_WALKED do
    if count == 0 or bytes > MAX_WALKED_BYTES then break end
    local entry = redis.call('XREVRANGE', log, to, expired and '(' .. expired or '-', 'COUNT', 1)[1]
    if not entry then break end
    local prev, record = event_of(entry)
    if prev then
      found, count, bytes = prev, count - 1, bytes + #record
    end
    to = '(' .. entry[1]
  end
  return found
end

local indexed = redis.call('LLEN', ids) - 1
local length = redis.call('XLEN', log)
if length == 0 then return tail end
if indexed < 1 or tail ~= stored then return walk('+', wanted) or tail end

local first = math.max(1, indexed - wanted + 1)
local id = id_of(redis.call('LINDEX', ids, first))
if expired and not before(expired, id) then
  first = index_after(ids, indexed + 1, expired)
  if first > indexed then return tail end
elseif wanted > indexed and length > indexed then
  -- The stream has entries that the index lacks: older events, or entries that no broker has written.
  local older = walk('(' .. id, wanted - indexed)
  if older then return older end
end
return id_of(redis.call('LINDEX', ids, first - 1))
