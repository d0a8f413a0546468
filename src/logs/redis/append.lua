-- Appends one event to a channel and announces it, in one atomic step: whoever hears of it can read it, and no two
-- events can be announced in another order than they are read in. A repeated idempotency key changes nothing.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- KEYS[4]  where the idempotency key is remembered; left out when there is none
-- ARGV[1]  the event's SSE fields, all but its id
-- ARGV[2]  events to keep
-- ARGV[3]  how long to keep an event, and the stream after its last append, ms
-- ARGV[4]  how long the tail outlives its last append, ms
-- ARGV[5]  how long to remember the idempotency key, ms
-- ARGV[6]  the pub/sub channel
-- ARGV[7]  PUBLISH, or SPUBLISH in a cluster
--
-- Result   {id, 1 when the idempotency key was known and nothing was appended, else 0}
-- Announced: the predecessor's id, LF, then the event as it goes to the sockets.

-- Events let go of in one append, so that a lowered limit is no long stop. More than one, so that it is reached.
local MAX_DROPPED = 32
-- Entries that one command may let go of. Redis frees whole nodes of a stream, of up to 100 small entries or one large.
local MAX_TRIMMED = 128

local log, tail_key, ids = KEYS[1], KEYS[2], KEYS[3]
if KEYS[4] then
  local known = redis.call('GET', KEYS[4])
  if known then
    -- Not to be trusted, and to publish anyway could be to publish twice.
    if not is_id(known) then return redis.error_reply('WRONGTYPE an idempotency key holds no id') end
    return {known, 1}
  end
end

-- All keys are read before anything is written: a wrong type must not leave half of an append.
local indexed = redis.call('LLEN', ids)
local prev = stored_tail(tail_key)
local missed = {}
if prev then
  -- What an older version of the broker has appended since is no part of the index yet. There is rarely any, and then
  -- this is cheaper from the stream's end.
  local more = #redis.call('XREVRANGE', log, '+', '(' .. prev, 'COUNT', 1) > 0
  local last = prev
  for step = 0, more and MAX_STEPS or -1 do
    local entry = redis.call('XRANGE', log, '(' .. last, '+', 'COUNT', 1)[1]
    if not entry then break end
    if step == MAX_STEPS then
      -- Too many: the index begins anew.
      indexed, missed = 0, {}
      prev = newest_id(log, prev)
      break
    end
    last = entry[1]
    local _, fields = event_of(entry)
    if fields then
      missed[#missed + 1] = last .. ' ' .. #fields
      prev = last
    end
  end
else
  prev = newest_id(log, nil)
  indexed = 0
end

-- The first write, because Redis refuses it when it is out of memory, and no other that comes after one.
local kept = math.max(tonumber(ARGV[2]), indexed - MAX_DROPPED)
local function add()
  return redis.call('XADD', log, 'MAXLEN', '~', kept, 'LIMIT', MAX_TRIMMED, '*', 'p', prev, 'f', ARGV[1])
end
local id = add()
if not before(prev, id) then
  -- The stream was gone and the clock has gone back since; but ids only increase. An entry at the tail's place lets the
  -- stream go on from there.
  redis.call('XTRIM', log, 'MAXLEN', 0)
  if id ~= prev then redis.call('XADD', log, prev, 'p', '', 'f', '') end
  id = add()
  redis.call('XTRIM', log, 'MINID', id)
end

if indexed == 0 then
  redis.call('LTRIM', ids, 1, 0)
  redis.call('RPUSH', ids, prev .. ' 0', id .. ' ' .. #ARGV[1])
  indexed = 1
else
  if #missed > 0 then redis.call('RPUSH', ids, unpack(missed)) end
  redis.call('RPUSH', ids, id .. ' ' .. #ARGV[1])
  -- Of events, without their predecessor.
  indexed = indexed + #missed
end

local dropped = math.min(indexed - tonumber(ARGV[2]), MAX_DROPPED)
if dropped < 1 then
  -- The clock is asked only when the new id makes the oldest event look expired: ids can be ahead of the clock.
  local looks_expired = tonumber(string.match(id, '^%d+')) - tonumber(ARGV[3])
  local oldest = redis.call('LINDEX', ids, 1)
  local expired = tonumber(string.match(oldest, '^%d+')) < looks_expired and last_expired(ARGV[3])
  dropped = 0
  while expired and dropped < MAX_DROPPED and dropped < indexed - 1 and not before(expired, id_of(oldest)) do
    dropped = dropped + 1
    oldest = redis.call('LINDEX', ids, dropped + 1)
  end
  if dropped > 0 then redis.call('XTRIM', log, 'MINID', '~', id_of(oldest), 'LIMIT', MAX_TRIMMED) end
end
if dropped > 0 then redis.call('LTRIM', ids, dropped, -1) end

redis.call('PEXPIRE', log, ARGV[3])
redis.call('PEXPIRE', ids, ARGV[3])
redis.call('SET', tail_key, id, 'PX', ARGV[4])
if KEYS[4] then redis.call('SET', KEYS[4], id, 'PX', ARGV[5]) end
redis.call(ARGV[7], ARGV[6], prev .. '\nid: ' .. id .. '\n' .. ARGV[1])
return {id, 0}
