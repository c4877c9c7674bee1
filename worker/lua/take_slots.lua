-- Take the verifications whose slot has come, and status reads that somebody waits for. The sweeper
-- wakes them before all others. Each is removed from slot-due, so that two sweepers never take the
-- same one, and moved to a later time in the due-index, so that it is due again if its wake-up is
-- lost.
--
-- KEYS[1] slot-due   KEYS[2] due-index
-- ARGV[1] maximum number to take   ARGV[2] ms until a taken one is due again
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
