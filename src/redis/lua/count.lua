-- Adds hits to a counter. The counter's window starts with its first hit. One atomic step, so that every counter expires.
--
-- KEYS[1]  the counter
-- ARGV[1]  the window, ms
-- ARGV[2]  how many hits to add
--
-- Result   {the hits in this window, in how many ms it ends}

local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
