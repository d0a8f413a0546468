-- Reads a page of a channel's events, and whether the stream can prove that none is missing before it. One script,
-- so that the events, the tail and the proof belong to the same moment.
--
-- KEYS[1]  the channel's stream
-- ARGV[1]  the id after which to read
-- ARGV[2]  events at the most
-- ARGV[3]  bytes at the most (but at least one event)
-- ARGV[4]  how long an event is kept, ms: what is older is gone, whether or not it has been trimmed yet
--
-- Result   {tail, 1 when complete else 0, id, prev, fields, id, prev, fields, …}

local after, limit, max_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[4])
if oldest > 0 then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest)) end

local tail = '0-0'
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  tail = newest[1]
else
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then tail = info[i + 1] end
  end
end
if after == tail then return {tail, 1} end

local result, count, bytes = {tail, 0}, 0, 0
local from, first = after, true
local step = math.min(limit + 1, 64)
while count < limit do
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', step)
  for _, entry in ipairs(entries) do
    local id, prev, fields = entry[1], entry[2][2], entry[2][4]
    if first then
      -- The position is proven when it is itself an event of this stream, or the predecessor of the oldest one left.
      first = false
      if id == after or prev == after then result[2] = 1 end
    end
    if id ~= after then
      bytes = bytes + #fields
      if count == limit or (count > 0 and bytes > max_bytes) then return result end
      result[#result + 1] = id
      result[#result + 1] = prev
      result[#result + 1] = fields
      count = count + 1
    end
    from = '(' .. id
  end
  if #entries < step then break end
end
return result
