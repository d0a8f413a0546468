-- Drops a channel's events, its state and its end, appends one event that says so, and announces it, in one atomic step.
--
-- KEYS[1]  the channel's stream
-- KEYS[2]  the channel's tail
-- KEYS[3]  the index of the stream
-- KEYS[4]  the newest event of each key
-- KEYS[5]  the order of these events
-- ARGV[1]  how long to keep the event, ms
-- ARGV[2]  how long the tail outlives the event, ms
-- ARGV[3]  the pub/sub channel
-- ARGV[4]  PUBLISH, or SPUBLISH in a cluster
-- ARGV[5]  the event's record
--
-- Result   1, or 0 when the channel never had an event, or was cleared and has had no event since

local log, tail_key, ids, ttl, record = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[5]
-- Reads all keys before the first write, so that a key of a wrong type is not dropped.
redis.call('LLEN', ids)
redis.call('HMGET', KEYS[4], 'score')
redis.call('ZCARD', KEYS[5])
local stored, mark = stored_tail(tail_key)
local prev = newest_id(log, stored)
if prev ~= stored then mark = '' end
if mark == 'cleared' or (prev == '0-0' and mark == '') then return 0 end

-- UNLINK frees large values in a thread of its own. It is the first write, and Redis without free memory takes it: so a
-- channel can be cleared to make room.
redis.call('UNLINK', log, ids, KEYS[4], KEYS[5])
local id = add_after(prev, log, record, '1', '1')
local element = id .. ' ' .. #record
redis.call('RPUSH', ids, prev .. ' 0', element)
redis.call('PEXPIRE', log, ttl)
redis.call('PEXPIRE', ids, ttl)
redis.call('SET', tail_key, id .. ' cleared', 'PX', ARGV[2])
redis.call(ARGV[4], ARGV[3], 'a' .. id .. '\n' .. prev .. '\n' .. element .. '\n' .. record)
return 1
