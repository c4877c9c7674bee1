-- Leave a shared resource without an owner, if its owner is still the one that was read: the next
-- request creates it again.
--
-- KEYS[1] resource record   ARGV[1] owner as it was read
--
-- Returns 1, or 0 when somebody else owns it by now, or nobody.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
