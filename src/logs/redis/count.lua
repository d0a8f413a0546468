-- Counts one more in a window that begins with its first. One step, so that no counter is left without an end.
--
-- KEYS[1]  the counter
-- ARGV[1]  the window, ms
--
-- Result   {how many there are in this window, in how many ms it ends}

local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
