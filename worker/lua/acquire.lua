-- Become the owner of a shared resource, if its owner is still the one that was read.
--
-- KEYS[1] resource record   KEYS[2] hash: producers that asked -> the first row that asked for each
-- ARGV[1] owner as it was read ("" for none)   ARGV[2] id of the row that wants it
-- ARGV[3] its producer (reply_to)
--
-- Returns the owner after this.
redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[2])
local owner = redis.call('GET', KEYS[1]) or ''
if owner == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return ARGV[2]
end
return owner
