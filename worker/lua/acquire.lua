-- Make a row the owner of a shared resource if the owner hasn't changed since it was read.
--
-- KEYS[1] resource record   KEYS[2] hash: producer -> the first of its rows that requested this
-- ARGV[1] owner as it was read ("" for none)   ARGV[2] id of the row that requests it
-- ARGV[3] the row's producer (reply_to)
--
-- Returns the owner afterwards.
redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[2])
local owner = redis.call('GET', KEYS[1]) or ''
if owner == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return ARGV[2]
end
return owner
