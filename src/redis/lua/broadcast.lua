-- Publishes a message to replicas, and keeps revocations in the same atomic step: a replica that hears of a revocation finds
-- it kept. When there is no room for all revocations, the script keeps none and publishes nothing.
--
-- KEYS[1]  the revocations: a sorted set; the member says what is revoked, the score up to which time, epoch ms
-- ARGV[1]  PUBLISH, or SPUBLISH in a cluster
-- ARGV[2]  the pub/sub channel
-- ARGV[3]  the message; empty for none
-- ARGV[4]  revocations up to this time have expired, epoch ms
-- ARGV[5]  the largest number of revocations to keep
-- ARGV[6]  how long the key outlives its last change, ms
-- ARGV[7…] time and member of each revocation to keep
--
-- Result   how many connections the message was sent to, or -1 when there is no room

if #ARGV > 6 then
  local in_force = '(' .. ARGV[4]
  local room = tonumber(ARGV[5]) - redis.call('ZCOUNT', KEYS[1], in_force, '+inf')
  for i = 8, #ARGV, 2 do
    local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if not known or tonumber(known) <= tonumber(ARGV[4]) then room = room - 1 end
  end
  if room < 0 then return -1 end
  -- ZADD is the first write: Redis without memory to spare refuses a script at its first write and at no later one.
  for i = 7, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', ARGV[i], ARGV[i + 1]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
if ARGV[3] == '' then return 0 end
return redis.call(ARGV[1], ARGV[2], ARGV[3])
