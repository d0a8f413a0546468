-- Publishes a message to replicas and stores revocations, in one atomic step. So a replica that receives a revocation also
-- finds it stored. When there is no room for all revocations, the script stores none and publishes nothing.
--
-- KEYS[1]  the revocations: a sorted set. The member is the target; tokens issued up to the score are refused, epoch ms
-- ARGV[1]  PUBLISH, or SPUBLISH in a cluster
-- ARGV[2]  the pub/sub channel
-- ARGV[3]  the message; empty for none
-- ARGV[4]  revocations with this time or an earlier one have expired, epoch ms
-- ARGV[5]  the largest number of revocations
-- ARGV[6]  the key expires this long after its last change, ms
-- ARGV[7…] time and member of each revocation to store
--
-- Result   the number of connections that received the message, or -1 when there is no room

if #ARGV > 6 then
  local in_force = '(' .. ARGV[4]
  local room = tonumber(ARGV[5]) - redis.call('ZCOUNT', KEYS[1], in_force, '+inf')
  for i = 8, #ARGV, 2 do
    local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if not known or tonumber(known) <= tonumber(ARGV[4]) then room = room - 1 end
  end
  if room < 0 then return -1 end
  -- ZADD is the first write: Redis without free memory refuses the first write of a script and no later one.
  for i = 7, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', ARGV[i], ARGV[i + 1]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
if ARGV[3] == '' then return 0 end
return redis.call(ARGV[1], ARGV[2], ARGV[3])
