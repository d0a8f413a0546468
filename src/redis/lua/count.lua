-- Adds one hit to a counter. The counter's window starts with its first hit. One atomic step, so that every counter expires.
--
-- KEYS[1]  the counter
-- ARGV[1]  the window, ms
--
-- Result   {the hits in this window, in how many ms it ends}

local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
