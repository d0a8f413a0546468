-- Tries out the commands of a publish on keys of its own, with the same rights. So the broker notices a Redis that answers
-- but refuses before a publisher is refused. The script calls each command that append.lua calls: add a new command there
-- here, too. It announces first: PUBLISH succeeds where writes are refused, and so shows whether announcements arrive.
--
-- KEYS[1]  a stream
-- KEYS[2]  a list
-- KEYS[3]  a string
-- KEYS[4]  a hash
-- KEYS[5]  a sorted set
-- ARGV[1]  the keys expire after this time, ms
-- ARGV[2]  the pub/sub channel
-- ARGV[3]  PUBLISH, or SPUBLISH in a cluster
--
-- Result   the number of connections that received the announcement

local heard = redis.call(ARGV[3], ARGV[2], '1')
redis.call('TIME')
redis.call('LLEN', KEYS[2])
redis.call('LINDEX', KEYS[2], 0)
redis.call('LRANGE', KEYS[2], 0, 0)
redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
redis.call('GET', KEYS[3])
redis.call('HMGET', KEYS[4], '1')
redis.call('ZCARD', KEYS[5])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[1])
redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'p', '0-0', 'r', '')
redis.call('XTRIM', KEYS[1], 'MAXLEN', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], '1')
redis.call('LTRIM', KEYS[2], -1, -1)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('HSET', KEYS[4], '1', '1')
redis.call('HDEL', KEYS[4], '1')
redis.call('ZADD', KEYS[5], '1', '1', '2', '2')
redis.call('ZREM', KEYS[5], '1')
redis.call('ZPOPMIN', KEYS[5], '1')
redis.call('PEXPIRE', KEYS[4], ARGV[1])
redis.call('PEXPIRE', KEYS[5], ARGV[1])
return heard
