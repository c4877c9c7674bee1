-- Close a route's breaker, because its probe was answered, and make the verifications due that failed
-- there: the reason of their wait is over. They go as the quota lets them.
--
-- KEYS[1] breaker, KEYS[2] failures, KEYS[3] streak: see open_breaker.lua
-- KEYS[4] due-index
-- ARGV[1] prefix of row keys   ARGV[2] now (ms; tests only, empty = this server's clock)
-- Returns how many verifications were made due: at most a thousand, which takes 3 ms; others wait
-- for their own time. Those that are claimed, due already or settled are left alone.

local now = tonumber(ARGV[2]) or now_ms()
local woken = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, 999)) do
  local row = redis.call('HMGET', ARGV[1] .. id, 'due', 'lease')
  if tonumber(row[1] or 0) > now and not row[2] then
    redis.call('HSET', ARGV[1] .. id, 'due', text(now))
    redis.call('ZADD', KEYS[4], text(now), id)
    woken = woken + 1
  end
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return woken
