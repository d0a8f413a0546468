-- Appends events to a channel and announces them, in one atomic step. So an announced event can be read, the events of one
-- append are consecutive, and events are announced in the order in which they are read. An event whose idempotency key is
-- known is not appended again.
--
-- KEYS[1]    the channel's stream
-- KEYS[2]    the channel's tail
-- KEYS[3]    the index of the stream
-- KEYS[4]    the newest event of each key
-- KEYS[5]    the order of these events
-- KEYS[6…]   for each event, the key that remembers its idempotency key; one key for an end without events; none without an
--            idempotency key
-- ARGV[1]    events to keep
-- ARGV[2]    how long to keep an event, and the stream after its last append, ms
-- ARGV[3]    how long the tail outlives its last append, ms
-- ARGV[4]    how long to remember the idempotency keys, ms
-- ARGV[5]    the pub/sub channel
-- ARGV[6]    PUBLISH, or SPUBLISH in a cluster
-- ARGV[7]    append only if this is the tail; empty for no condition
-- ARGV[8]    1 to end the channel, else 0
-- ARGV[9]    the number of events
-- ARGV[10]   the time of the broker's clock in units of 10^7 ms
-- ARGV[11…]  each event's record, then for each of KEYS[6…] the digest to remember; then, when an event has a key, how many keys the
--            channel may have
--
-- Result     {'appended', dropped, id, known, id, known, …}; dropped is the number of keys that were dropped because there were
--            too many; known is 1 when the event's idempotency key was known and the event was not appended, else 0. For an end
--            without events, the tail. Or, and then nothing was done:
--            {'ended'}, {'mismatch', the tail}, or {'reused'} when an idempotency key remembers another digest
-- Announced  one message for all appended events, then one for the end, in the forms that announcement.ts reads

-- The index of the first record in ARGV.
local RECORDS = 11
-- One append drops at most one event and one key for each event that it appends, and this many more. So an append stays short
-- after the limits were lowered.
local MAX_DROPPED = 31
-- Bytes of the events that one append drops beyond MAX_DROPPED: it takes time to free large events.
local MAX_DROPPED_BYTES = 4194304
-- The largest number of entries that one command may trim, for one appended event and for several. Redis frees whole nodes
-- of a stream; a node has up to 100 small entries or one large entry. These and other constant arguments are texts: Redis
-- takes 0.2 µs to print a number.
local MAX_TRIMMED, MAX_TRIMMED_BY_SEVERAL = '128', '512'

-- How long the state may outlive the tail, ms. An append gives the state a new expiry only when the ids or the broker's clock
-- have entered new units of 10^7 ms: that is at least once in two units, also when ids are ahead of the clock.
local STATE_MARGIN = 21600000
-- The fields of the state that hold the score of the last event in the order, and the size of the largest value so far. The fields
-- of keys begin with "k".
local SCORE, LARGEST = 'score', 'largest'

local log, tail_key, ids, state, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local size, ttl, if_last, ends, given = tonumber(ARGV[1]), ARGV[2], ARGV[7], ARGV[8] == '1', tonumber(ARGV[9])
-- `fresh` holds the positions of the events to append.
local result, fresh = {'appended', 0}, {}
if #KEYS == 5 then
  for number = 1, given do fresh[number] = number end
else
  for number = 1, #KEYS - 5 do
    local known, reused = remembered_id(KEYS[5 + number], ARGV[RECORDS - 1 + given + number])
    if reused then return {'reused'} end
    if known then
      result[2 * number + 1], result[2 * number + 2] = known, 1
      -- The end belongs to the last position.
      if number == #KEYS - 5 then ends = false end
    elseif number <= given then
      fresh[#fresh + 1] = number
    end
  end
end
local count = #fresh
if count == 0 and not ends then return result end

-- Reads all keys before the first write, so that a key of a wrong type cannot stop the script halfway.
local indexed = redis.call('LLEN', ids)
local prev, mark = stored_tail(tail_key)
-- `keys` is the number of keys. An append without keys reads the state only when the channel has no tail.
local max_keys, keys, last_score, largest = tonumber(ARGV[RECORDS + given + #KEYS - 5]), nil, nil, nil
local was_cleared = mark == 'cleared'
if max_keys or not prev or was_cleared then
  keys = redis.call('ZCARD', order)
  local numbers = redis.call('HMGET', state, SCORE, LARGEST)
  last_score, largest = whole_number(numbers[1]), whole_number(numbers[2])
end
-- A state without a tail is older than what the tail knew, and is gone. So is a half of a state, and a state that an older version
-- of the broker has left when it cleared the channel.
local is_state_gone = keys and (not prev or was_cleared or keys == 0 or not last_score or not largest)
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
      last = newest_id(log, prev)
      if last ~= prev then prev, mark = last, '' end
      break
    end
    last = entry[1]
    local _, record = event_of(entry)
    if record then
      elements[#elements + 1] = last .. ' ' .. #record
      prev, mark = last, ''
    end
  end
else
  prev = newest_id(log, nil)
  indexed = 0
end
if mark == 'ended' then return {'ended'} end
if if_last ~= '' and if_last ~= prev then return {'mismatch', prev} end

if count == 0 then
  -- An end without events.
  redis.call('SET', tail_key, prev .. ' ended', 'PX', ARGV[3])
  if KEYS[6] then redis.call('SET', KEYS[6], prev .. ' ' .. ARGV[RECORDS], 'PX', ARGV[4]) end
  if is_state_gone then
    redis.call('UNLINK', state, order)
  else
    redis.call('PEXPIRE', state, ARGV[3] + STATE_MARGIN)
    redis.call('PEXPIRE', order, ARGV[3] + STATE_MARGIN)
  end
  redis.call(ARGV[6], ARGV[5], 'b' .. prev .. '\n')
  return {'appended', 0, prev, 0}
end
if indexed == 0 then elements = {} end

-- XADD is the first write: Redis without free memory refuses the first write of a script and no later one.
local first_prev, dropping, max_trimmed = prev, MAX_DROPPED + count, MAX_TRIMMED
if count > 1 then
  max_trimmed = MAX_TRIMMED_BY_SEVERAL
  local bytes, find, sub = 0, string.find, string.sub
  for place, element in ipairs(redis.call('LRANGE', ids, '1', dropping)) do
    bytes = bytes + sub(element, find(element, ' ', 1, true) + 1)
    if place > MAX_DROPPED and bytes > MAX_DROPPED_BYTES then
      dropping = place
      break
    end
  end
end
local kept = indexed + count - 1 - dropping
if kept <= size then kept = ARGV[1] end
local call, skipped = redis.call, #elements
local id = add_after(prev, log, ARGV[RECORDS - 1 + fresh[1]], kept, max_trimmed)
-- `sizes` has the end of the index's element for each size of a record: many events have the same size.
local records, sizes = {}, {}
for i = 1, count do
  local number = fresh[i]
  local record = ARGV[RECORDS - 1 + number]
  local length = #record
  records[i] = record
  if i > 1 then
    prev = id
    if i < count then
      id = call('XADD', log, '*', 'p', prev, 'r', record)
    else
      -- The last event trims for all.
      id = call('XADD', log, 'MAXLEN', '~', kept, 'LIMIT', max_trimmed, '*', 'p', prev, 'r', record)
    end
  end
  local blank_and_size = sizes[length]
  if not blank_and_size then
    blank_and_size = ' ' .. length
    sizes[length] = blank_and_size
  end
  elements[skipped + i] = id .. blank_and_size
  result[2 * number + 1], result[2 * number + 2] = id, 0
  if KEYS[6] then
    local digest = ARGV[RECORDS - 1 + given + number]
    call('SET', KEYS[5 + number], id .. ' ' .. digest, 'PX', ARGV[4])
  end
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
  if dropped > 0 then redis.call('XTRIM', log, 'MINID', '~', id_of(oldest), 'LIMIT', max_trimmed) end
end
if dropped > 0 then redis.call('LTRIM', ids, dropped, '-1') end

if is_state_gone then
  if keys > 0 or last_score then call('UNLINK', state, order) end
  keys, last_score, largest = 0, 0, 0
end
-- Whether this append makes the sorted set anew, so that it has no expiry yet.
local is_order_new = false
if max_keys then
  -- The hash's field of an event's key. A record begins with "1", then the type behind "t" if there is one, then the key behind "k"
  -- if there is one. Line feeds divide them.
  local match, sub, score = string.match, string.sub, last_score
  local fields, last_of = {}, {}
  for i = 1, count do
    local record = records[i]
    local field = match(record, '^(k[^\n]*)\n', 3) or match(record, '^t[^\n]*\n(k[^\n]*)\n', 3)
    -- Of several events with one key only the last changes what anybody can see.
    if field then fields[i], last_of[field] = field, i end
  end
  local values, scores, at, max_size = {}, {}, 0, largest
  for i = 1, count do
    local field, record = fields[i], records[i]
    if field and last_of[field] == i then
      if sub(record, 3, 18) == 'tsluice:deleted\n' then
        call('HDEL', state, field)
        keys = keys - call('ZREM', order, field)
      else
        score = score + 1
        local value = result[2 * fresh[i] + 1] .. ' ' .. record
        if #value > max_size then max_size = #value end
        values[at + 1], values[at + 2] = field, value
        scores[at + 1], scores[at + 2] = score, field
        at = at + 2
      end
    end
  end
  if at > 0 then
    call('HSET', state, SCORE, score, unpack(values))
    if max_size > largest then call('HSET', state, LARGEST, max_size) end
    is_order_new = keys == 0
    keys = keys + call('ZADD', order, unpack(scores))
  end
  local surplus = math.min(keys - max_keys, MAX_DROPPED + count)
  if surplus > 0 then
    local popped, gone = call('ZPOPMIN', order, surplus), {}
    for i = 1, #popped, 2 do gone[#gone + 1] = popped[i] end
    result[2] = call('HDEL', state, unpack(gone))
  end
end
-- Both ids are within the unit of the broker's clock when the predecessor is not smaller, and the ms of the new id have seven more
-- digits than the unit.
local unit = ARGV[10]
if is_order_new or first_prev < unit or string.find(id, unit, 1, true) ~= 1
  or string.byte(id, #unit + 8) ~= 45 then
  call('PEXPIRE', state, ARGV[3] + STATE_MARGIN)
  call('PEXPIRE', order, ARGV[3] + STATE_MARGIN)
end

local announced = 'a' .. id .. '\n' .. first_prev .. '\n'
if count == 1 then
  announced = announced .. elements[skipped + 1] .. '\n' .. records[1]
else
  -- Redis hashes each text that a script makes, at a nanosecond or more for a byte. One expression with many operands makes
  -- no texts in between; table.concat does. So each byte of up to 276 events is copied twice.
  local texts, e, r, i, k = {announced}, elements, records, 1, skipped + 1
  while i + 11 <= count do
    texts[#texts + 1] = e[k] .. '\n' .. r[i] .. e[k + 1] .. '\n' .. r[i + 1] .. e[k + 2] .. '\n' .. r[i + 2]
      .. e[k + 3] .. '\n' .. r[i + 3] .. e[k + 4] .. '\n' .. r[i + 4] .. e[k + 5] .. '\n' .. r[i + 5]
      .. e[k + 6] .. '\n' .. r[i + 6] .. e[k + 7] .. '\n' .. r[i + 7] .. e[k + 8] .. '\n' .. r[i + 8]
      .. e[k + 9] .. '\n' .. r[i + 9] .. e[k + 10] .. '\n' .. r[i + 10] .. e[k + 11] .. '\n' .. r[i + 11]
    i, k = i + 12, k + 12
  end
  local function join24(t)
    for n = #t + 1, 24 do t[n] = '' end
    return t[1] .. t[2] .. t[3] .. t[4] .. t[5] .. t[6] .. t[7] .. t[8] .. t[9] .. t[10] .. t[11] .. t[12] .. t[13]
      .. t[14] .. t[15] .. t[16] .. t[17] .. t[18] .. t[19] .. t[20] .. t[21] .. t[22] .. t[23] .. t[24]
  end
  local rest = {}
  for n = i, count do
    rest[#rest + 1] = e[skipped + n] .. '\n'
    rest[#rest + 1] = r[n]
  end
  texts[#texts + 1] = join24(rest)
  announced = #texts > 24 and table.concat(texts) or join24(texts)
end
redis.call('PEXPIRE', log, ttl)
redis.call('PEXPIRE', ids, ttl)
redis.call('SET', tail_key, ends and id .. ' ended' or id, 'PX', ARGV[3])
redis.call(ARGV[6], ARGV[5], announced)
if ends then redis.call(ARGV[6], ARGV[5], 'b' .. id .. '\n') end
return result
