-- Tries out what a publish needs, so that a Redis that answers but refuses is found out before a publisher is refused: the
-- same commands with the same rights, on keys of its own. It calls each command that append.lua calls; a new one there
-- belongs here, too. It announces first: that goes through where writes are refused, and tells whether announcements
-- arrive all the same.
--
-- KEYS[1]  a stream
-- KEYS[2]  a list
-- KEYS[3]  a string
-- ARGV[1]  how long the keys outlive this, ms
-- ARGV[2]  the pub/sub channel
-- ARGV[3]  PUBLISH, or SPUBLISH in a cluster
--
-- Result   how many connections heard the announcement

local heard = redis.call(ARGV[3], ARGV[2], '1')
redis.call('TIME')
redis.call('LLEN', KEYS[2])
redis.call('LINDEX', KEYS[2], 0)
redis.call('LRANGE', KEYS[2], 0, 0)
redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
redis.call('GET', KEYS[3])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[1])
redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'p', '0-0', 'r', '')
redis.call('XTRIM', KEYS[1], 'MAXLEN', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], '1')
redis.call('LTRIM', KEYS[2], -1, -1)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return heard
