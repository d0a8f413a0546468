-- Appends events to a channel and announces them, in one atomic step. So an announced event can be read, the events of one
-- append are consecutive, and events are announced in the order in which they are read. An event whose idempotency key is
-- known is not appended again.
--
-- KEYS[1]    the channel's stream
-- KEYS[2]    the channel's tail
-- KEYS[3]    the index of the stream
-- KEYS[4…]   for each event, the key that remembers its idempotency key; none without an idempotency key
-- ARGV[1]    events to keep
-- ARGV[2]    how long to keep an event, and the stream after its last append, ms
-- ARGV[3]    how long the tail outlives its last append, ms
-- ARGV[4]    how long to remember the idempotency keys, ms
-- ARGV[5]    the pub/sub channel
-- ARGV[6]    PUBLISH, or SPUBLISH in a cluster
-- ARGV[7…]   each event's record
--
-- Result     {id, known, id, known, …}; known is 1 when the event's idempotency key was known and the event was not
--            appended, else 0
-- Announced  one message for all appended events, in the form that announcement.ts reads

-- The index of the first record in ARGV.
local RECORDS = 7
-- One append drops at most one event for each event that it appends, and this many more. So an append stays short after the
-- limit was lowered.
local MAX_DROPPED = 31
-- Bytes of the events that one append drops beyond MAX_DROPPED: it takes time to free large events.
local MAX_DROPPED_BYTES = 4194304
-- The largest number of entries that one command may trim. Redis frees whole nodes of a stream; a node has up to 100 small
-- entries or one large entry. This and other constant arguments are texts: Redis takes 0.2 µs to print a number.
local MAX_TRIMMED = '128'

-- The number of texts that join24 joins.
local WIDTH = 24

-- One expression with many operands makes no texts in between.
local function join24(t, i)
  return t[i] .. t[i + 1] .. t[i + 2] .. t[i + 3] .. t[i + 4] .. t[i + 5] .. t[i + 6] .. t[i + 7] .. t[i + 8]
    .. t[i + 9] .. t[i + 10] .. t[i + 11] .. t[i + 12] .. t[i + 13] .. t[i + 14] .. t[i + 15] .. t[i + 16]
    .. t[i + 17] .. t[i + 18] .. t[i + 19] .. t[i + 20] .. t[i + 21] .. t[i + 22] .. t[i + 23]
end

-- Redis hashes each text that a script makes, at a nanosecond or more for a byte. table.concat makes many texts in between.
-- This function copies each byte once for up to 24 texts, and twice for up to 576.
local function join(texts)
  while #texts > 1 do
    while #texts % WIDTH > 0 do texts[#texts + 1] = '' end
    local joined = {}
    for i = 1, #texts, WIDTH do joined[#joined + 1] = join24(texts, i) end
    texts = joined
  end
  return texts[1]
end

local log, tail_key, ids = KEYS[1], KEYS[2], KEYS[3]
local size, ttl = tonumber(ARGV[1]), ARGV[2]
-- `fresh` holds the positions of the events to append.
local result, fresh = {}, {}
for number = 1, #ARGV - RECORDS + 1 do
  local known = KEYS[3 + number] and redis.call('GET', KEYS[3 + number])
  if known then
    -- Without a valid id, appending the event could publish it twice.
    if not is_id(known) then return redis.error_reply('WRONGTYPE an idempotency key holds no id') end
    result[2 * number - 1], result[2 * number] = known, 1
  else
    fresh[#fresh + 1] = number
  end
end
local count = #fresh
if count == 0 then return result end

-- Reads all keys before the first write, so that a key of a wrong type cannot stop the script halfway.
local indexed = redis.call('LLEN', ids)
local prev = stored_tail(tail_key)
-- The new elements of the index: events that the index lacks, then the appended events.
local elements = {}
if prev then
  -- Adds the events that an older version of the broker has appended. There are rarely any, and a look at the stream's end
  -- finds that out most cheaply.
  local more = #redis.call('XREVRANGE', log, '+', '(' .. prev, 'COUNT', '1') > 0
  local last = prev
  for step = 0, more and MAX_STEPS or -1 do
    local entry = redis.call('XRANGE', log, '(' .. last, '+', 'COUNT', '1')[1]
    if not entry then break end
    if step == MAX_STEPS then
      -- Too many: starts a new index.
      indexed = 0
      prev = newest_id(log, prev)
      break
    end
    last = entry[1]
    local _, record = event_of(entry)
    if record then
      elements[#elements + 1] = last .. ' ' .. #record
      prev = last
    end
  end
else
  prev = newest_id(log, nil)
  indexed = 0
end
if indexed == 0 then elements = {} end

-- XADD is the first write: Redis without free memory refuses the first write of a script and no later one.
local first_prev, dropping = prev, MAX_DROPPED + count
if count > 1 then
  local bytes = 0
  for place, element in ipairs(redis.call('LRANGE', ids, '1', dropping)) do
    bytes = bytes + tonumber(string.match(element, '%d+$'))
    if place > MAX_DROPPED and bytes > MAX_DROPPED_BYTES then
      dropping = place
      break
    end
  end
end
local kept = indexed + count - 1 - dropping
if kept <= size then kept = ARGV[1] end
local function add(record)
  return redis.call('XADD', log, 'MAXLEN', '~', kept, 'LIMIT', MAX_TRIMMED, '*', 'p', prev, 'r', record)
end
local id = add(ARGV[RECORDS - 1 + fresh[1]])
if not before(prev, id) then
  -- The stream was gone and the clock has gone back, but ids must increase. An entry with the tail's id makes Redis give
  -- later ids.
  redis.call('XTRIM', log, 'MAXLEN', 0)
  if id ~= prev then redis.call('XADD', log, prev, 'p', '', 'r', '') end
  id = add(ARGV[RECORDS - 1 + fresh[1]])
  redis.call('XTRIM', log, 'MINID', id)
end

-- The parts of the announcement of several events. The first part is set below.
local pieces = {''}
for i = 1, count do
  local number = fresh[i]
  local record = ARGV[RECORDS - 1 + number]
  if i > 1 then
    prev = id
    id = add(record)
  end
  if KEYS[3 + number] then redis.call('SET', KEYS[3 + number], id, 'PX', ARGV[4]) end
  local element = id .. ' ' .. #record
  elements[#elements + 1] = element
  if count > 1 then
    pieces[2 * i], pieces[2 * i + 1] = element .. '\n', record
  end
  result[2 * number - 1], result[2 * number] = id, 0
end

if indexed == 0 then
  redis.call('LTRIM', ids, '1', '0')
  redis.call('RPUSH', ids, first_prev .. ' 0', unpack(elements))
  -- The number of indexed events, without the predecessor.
  indexed = count
else
  redis.call('RPUSH', ids, unpack(elements))
  indexed = indexed - 1 + #elements
end

local dropped = math.min(indexed - size, dropping)
if dropped < 1 then
  -- Calls TIME only when the oldest event looks expired beside the new id. Ids can be ahead of the clock.
  local looks_expired = tonumber(string.match(id, '^%d+')) - tonumber(ttl)
  local oldest = redis.call('LINDEX', ids, '1')
  local expired = tonumber(string.match(oldest, '^%d+')) < looks_expired and last_expired(ttl)
  dropped = 0
  while expired and dropped < dropping and dropped < indexed - count and not before(expired, id_of(oldest)) do
    dropped = dropped + 1
    oldest = redis.call('LINDEX', ids, dropped + 1)
  end
  if dropped > 0 then redis.call('XTRIM', log, 'MINID', '~', id_of(oldest), 'LIMIT', MAX_TRIMMED) end
end
if dropped > 0 then redis.call('LTRIM', ids, dropped, '-1') end

local announced = 'a' .. id .. '\n' .. first_prev .. '\n'
if count > 1 then
  pieces[1] = announced
  announced = join(pieces)
else
  announced = announced .. elements[#elements] .. '\n' .. ARGV[RECORDS - 1 + fresh[1]]
end
redis.call('PEXPIRE', log, ttl)
redis.call('PEXPIRE', ids, ttl)
redis.call('SET', tail_key, id, 'PX', ARGV[3])
redis.call(ARGV[6], ARGV[5], announced)
return result
