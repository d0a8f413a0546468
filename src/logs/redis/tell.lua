-- Says something to replicas, and keeps revocations in the same atomic step: whoever hears of one finds it kept, and when
-- there is no room for all of them none is kept and nobody is told.
--
-- KEYS[1]  the revocations: a sorted set of what each is about, by the time up to which tokens are refused, epoch ms
-- ARGV[1]  PUBLISH, or SPUBLISH in a cluster
-- ARGV[2]  the pub/sub channel
-- ARGV[3]  what to say; empty for nothing
-- ARGV[4]  revocations up to this time have expired, epoch ms
-- ARGV[5]  revocations at the most
-- ARGV[6]  how long the key outlives its last change, ms
-- ARGV[7…] time and member of each revocation to keep
--
-- Result   how many connections were told, or -1 when there is no room

if #ARGV > 6 then
  local in_force = '(' .. ARGV[4]
  local room = tonumber(ARGV[5]) - redis.call('ZCOUNT', KEYS[1], in_force, '+inf')
  for i = 8, #ARGV, 2 do
    local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if not known or tonumber(known) <= tonumber(ARGV[4]) then room = room - 1 end
  end
  if room < 0 then return -1 end
  -- The first write, because Redis refuses it when it is out of memory, and no other that comes after one.
  for i = 7, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', ARGV[i], ARGV[i + 1]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
if ARGV[3] == '' then return 0 end
return redis.call(ARGV[1], ARGV[2], ARGV[3])
