-- Take the verifications whose time has come: holders of slots, and status reads that somebody waits
-- for. The sweeper wakes them before all others. Two sweepers at once never take the same. In the
-- due-index each moves to a later time, and comes back then if its wake-up is lost.
--
-- KEYS[1] slot-due   KEYS[2] due-index
-- ARGV[1] at most so many   ARGV[2] patience, ms
--
-- Returns {now, time of the next one or 0, id, id, ...}.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[2], 'XX', now + ARGV[2], id)
end
local following = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
table.insert(ids, 1, following[2] and text(following[2]) or '0')
table.insert(ids, 1, text(now))
return ids
