-- The part that the scripts of a channel share. It precedes the text of each of them. A channel has three keys in one hash
-- slot:
--
-- log      a stream: each event's predecessor (p) and its record (r). The version before wrote the event's SSE fields (f)
--          instead of a record; these fields are a record of version 0 without its first byte
-- tail     the newest event's id. It outlives the events, so that the broker can still say "you missed nothing". Behind the
--          id, " ended" says that the channel has ended, and " cleared" that the event says that the channel was cleared
-- ids      a list, the index of the stream: the id that precedes the oldest indexed event, then each event's id and the
--          size of its record in bytes. To return an id from the stream, Redis would copy the whole entry
--
-- The stream is the truth. The index and the tail can be behind the stream after an older version of the broker has
-- appended. The stream can have entries that no broker has written; the scripts ignore such entries.

-- How many entries a script reads one by one before it gives up. Each entry can be as large as the largest event.
local MAX_STEPS = 16

-- Whether the text is an id in canonical form.
local function is_id(text)
  if #text > 41 then return false end
  if string.find(text, '^[1-9]%d*%-0$') or string.find(text, '^[1-9]%d*%-[1-9]%d*$') then return true end
  return text == '0-0' or string.find(text, '^0%-[1-9]%d*$') ~= nil
end

-- Returns the number that a text stands for; nil when the text is missing, or is no whole number that a double holds exactly.
local function whole_number(text)
  return text and #text < 16 and string.find(text, '^%d+$') and tonumber(text) or nil
end

-- Whether the id `a` is smaller than the id `b`. The numbers have no leading zeros, so the shorter number is smaller.
local function before(a, b)
  local a_dash, b_dash = string.find(a, '-', 1, true), string.find(b, '-', 1, true)
  if a_dash ~= b_dash then return a_dash < b_dash end
  if #a == #b then return a < b end
  local a_ms, b_ms = string.sub(a, 1, a_dash - 1), string.sub(b, 1, b_dash - 1)
  if a_ms ~= b_ms then return a_ms < b_ms end
  return #a < #b
end

-- Returns predecessor and record of an entry that a broker has written; nil for any other entry. `expected` is a valid id:
-- a predecessor that equals it is not checked again.
local function event_of(entry, expected)
  local fields = entry[2]
  if fields[1] ~= 'p' then return nil end
  if fields[2] ~= expected and not is_id(fields[2]) then return nil end
  if fields[3] == 'r' then return fields[2], fields[4] end
  if fields[3] == 'f' then return fields[2], '0' .. fields[4] end
end

-- The id in an element of the index.
local function id_of(element)
  return string.match(element, '^%S+')
end

-- Returns the id in the tail's key and its mark: '', 'ended' or 'cleared'. Returns nil without the key. Any other text is an
-- error, like a key of a wrong type.
local function stored_tail(key)
  local tail = redis.call('GET', key)
  if not tail then return nil, '' end
  if is_id(tail) then return tail, '' end
  local id, mark = string.match(tail, '^(%S+) (%l+)$')
  if (mark == 'ended' or mark == 'cleared') and is_id(id) then return id, mark end
  error({ err = 'WRONGTYPE the key of a tail holds no id' })
end

-- Returns the id that a key of an idempotency key remembers; nil when the key remembers nothing. An older version of the
-- broker has remembered the id alone, without the digest. The second result is true when another digest is remembered.
local function remembered_id(key, digest)
  local value = redis.call('GET', key)
  if not value then return nil, false end
  local id, remembered = string.match(value, '^(%S+) (%x+)$')
  -- Without a valid id, appending the event could publish it twice.
  if not is_id(id or value) then error({ err = 'WRONGTYPE an idempotency key holds no id' }) end
  return id or value, id ~= nil and remembered ~= digest
end

-- Appends the first event of a script and trims. Returns the event's id, which is larger than `prev`. `kept` and `limit` are
-- the arguments of MAXLEN and LIMIT.
local function add_after(prev, log, record, kept, limit)
  local id = redis.call('XADD', log, 'MAXLEN', '~', kept, 'LIMIT', limit, '*', 'p', prev, 'r', record)
  if before(prev, id) then return id end
  -- The stream was gone and the clock has gone back, but ids must increase. An entry with the tail's id makes Redis give
  -- later ids.
  redis.call('XTRIM', log, 'MAXLEN', 0)
  if id ~= prev then redis.call('XADD', log, prev, 'p', '', 'r', '') end
  id = redis.call('XADD', log, '*', 'p', prev, 'r', record)
  redis.call('XTRIM', log, 'MINID', id)
  return id
end

-- Returns the id of the newest event. This is the stored id, unless an older version of the broker has appended since or
-- there is no stored id. In the regular case the script reads no entry.
local function newest_id(log, stored)
  local to, from = '+', stored and '(' .. stored or '-'
  for _ = 1, MAX_STEPS do
    local entry = redis.call('XREVRANGE', log, to, from, 'COUNT', 1)[1]
    if not entry then break end
    if event_of(entry) then return entry[1] end
    to = '(' .. entry[1]
  end
  if stored then return stored end
  -- An empty stream still has the id of its last entry.
  if to == '+' then
    local info = redis.pcall('XINFO', 'STREAM', log)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then return info[i + 1] end
    end
  end
  return '0-0'
end

-- Returns the position of the first event after `id` in the index, which has `length` elements; `length` without such an event.
local function index_after(ids, length, id)
  local low, high = 1, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if before(id, id_of(redis.call('LINDEX', ids, middle))) then high = middle else low = middle + 1 end
  end
  return low
end

-- Returns the largest id of an expired event; nil when no id has expired.
local function last_expired(ttl)
  local time = redis.call('TIME')
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ttl)
  if oldest <= 0 then return nil end
  return string.format('%.0f-18446744073709551615', oldest - 1)
end

-- Returns the index of the first kept event in the index, which has `length` elements; `length` without a kept event.
local function first_kept(ids, length, size, ttl)
  local first = math.max(1, length - tonumber(size))
  local expired = last_expired(ttl)
  if first >= length or not expired or before(expired, id_of(redis.call('LINDEX', ids, first))) then return first end
  return math.max(first, index_after(ids, length, expired))
end
