-- Take stored webhooks that are due, for the sweeper to wake. Each is moved to a later time, so
-- that two sweepers never take the same one, and so that it is due again if its wake-up is lost.
--
-- KEYS[1] due-index of stored webhooks
-- ARGV[1] maximum number to take   ARGV[2] ms until a taken one is due again
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
