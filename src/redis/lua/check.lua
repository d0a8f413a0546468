#!lua flags=no-writes
-- Checks that no idempotency key remembers another digest.
--
-- KEYS[1…]  for each event, the key that remembers its idempotency key
-- ARGV[1…]  for each event, its digest
--
-- Result    1, or 0 when a key remembers another digest

for i, key in ipairs(KEYS) do
  local _, reused = remembered_id(key, ARGV[i])
  if reused then return 0 end
end
return 1
