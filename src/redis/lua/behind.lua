#!lua flags=no-writes
-- Counts the kept events after each of some positions. The script uses the index alone. It misses events that an older version
-- of the broker has appended since.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- ARGV[1]  how many events are kept
-- ARGV[2]  how long an event is kept, ms
-- ARGV[3…] the positions
--
-- Result   a number for each position

local ids = KEYS[3]
local length = redis.call('LLEN', ids)
local start = first_kept(ids, length, ARGV[1], ARGV[2])

-- Most positions are near the tail. Redis finds elements near an end of a list fastest, so the search begins there and takes
-- steps that double.
local function count_after(position)
  local high, low, step = length, length - 1, 1
  while low >= start and before(position, id_of(redis.call('LINDEX', ids, low))) do
    high, low, step = low, low - step, step * 2
  end
  low = math.max(low, start - 1)
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if before(position, id_of(redis.call('LINDEX', ids, middle))) then high = middle else low = middle end
  end
  return length - high
end

local counts = {}
for number = 3, #ARGV do counts[number - 2] = count_after(ARGV[number]) end
return counts
