-- Take what is due, for the sweeper to wake. Two sweepers at once never take the same id: what is
-- taken moves to a later time, and comes back then if its wake-up is lost.
--
-- KEYS[1] due-index of stored webhooks
-- ARGV[1] at most so many   ARGV[2] patience, ms
--
-- Returns {now, time of the next one or 0, id, id, ...}.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
end
local next_one = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
table.insert(ids, 1, next_one[2] and text(next_one[2]) or '0')
table.insert(ids, 1, text(now))
return ids
