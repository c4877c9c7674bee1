-- Move a stored webhook to a state, and set when it must be processed again.
--
-- KEYS[1] inbox hash    KEYS[2] index of webhooks that still have to be processed
-- KEYS[3] index of the new state     KEYS[4..] indexes of the other states
-- ARGV[1] webhook id    ARGV[2] milliseconds from now until it must be processed; "": never again
-- ARGV[3..] field, value pairs, the state among them
--
-- Returns 1, or 0 if the webhook doesn't exist any more: it expired or was forgotten.
for i = 4, #KEYS do
  redis.call('ZREM', KEYS[i], ARGV[1])
end
if redis.call('HEXISTS', KEYS[1], 'body') == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return 0
end
local now = now_ms()
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[3], now + redis.call('PTTL', KEYS[1]), ARGV[1])
if ARGV[2] == '' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
end
return 1
