-- Finds the id after which the newest events of a channel lie. Read backwards in small steps: events can be large.
--
-- KEYS[1]  the channel's stream
-- ARGV[1]  how many events; 0 gives the tail
-- ARGV[2]  how long an event is kept, ms
--
-- Result   the id: the predecessor of the oldest of those events, or the tail when there is none

local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[2])
if oldest > 0 then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest)) end

local left, to, found = tonumber(ARGV[1]), '+', nil
while left > 0 do
  local step = math.min(left, 32)
  local entries = redis.call('XREVRANGE', KEYS[1], to, '-', 'COUNT', step)
  if #entries == 0 then break end
  found = entries[#entries]
  left = left - #entries
  to = '(' .. found[1]
end
if found then return found[2][2] end

local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then return newest[1] end
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then return info[i + 1] end
end
return '0-0'
