-- Remove the owner of a shared resource if it hasn't changed since it was read. The next request
-- then creates the resource again.
--
-- KEYS[1] resource record   ARGV[1] owner as it was read
--
-- Returns 1, or 0 if the resource has another owner by now, or none.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
