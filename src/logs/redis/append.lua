-- Appends one event to a channel and announces it, in one atomic step: whoever hears of it can read it, and no two
-- events can be announced in another order than they are read in. A repeated idempotency key changes nothing.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  where the idempotency key is remembered; left out when there is none
-- ARGV[1]  the event's SSE fields, all but its id
-- ARGV[2]  events to keep
-- ARGV[3]  how long to keep an event, ms
-- ARGV[4]  how long the stream's key outlives its last append, ms
-- ARGV[5]  how long to remember the idempotency key, ms
-- ARGV[6]  the pub/sub channel
-- ARGV[7]  PUBLISH, or SPUBLISH in a cluster
--
-- Result   {id, 1 when the idempotency key was known and nothing was appended, else 0}
-- Announced: the predecessor's id, LF, then the event as it goes to the sockets.

if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then return {known, 1} end
end

local prev = '0-0'
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  prev = newest[1]
else
  -- No event is left, but the stream still knows the id of its last one.
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then prev = info[i + 1] end
  end
end

local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'p', prev, 'f', ARGV[1])
local oldest = tonumber(string.match(id, '^%d+')) - tonumber(ARGV[3])
if oldest > 0 then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest)) end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if KEYS[2] then redis.call('SET', KEYS[2], id, 'PX', ARGV[5]) end
redis.call(ARGV[7], ARGV[6], prev .. '\nid: ' .. id .. '\n' .. ARGV[1])
return {id, 0}
