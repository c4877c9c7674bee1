-- Store a verified webhook once. It is durable before the vendor gets its 2xx.
--
-- KEYS[1] inbox hash    KEYS[2] index of webhooks that still have to be processed
-- KEYS[3] index of new webhooks      KEYS[4] set of webhooks about the same vendor-side id
-- KEYS[5] mark that webhooks about this vendor-side id are no longer stored
-- ARGV[1] webhook id (keyed digest of the signed content)   ARGV[2] life, ms
-- ARGV[3] grace, ms: the sweeper takes it after this time if its wake-up got lost
-- ARGV[4..] field, value pairs
--
-- Returns 1 if it was stored, 0 if it was stored before, 2 if nothing was stored because the
-- verification was forgotten.
if redis.call('EXISTS', KEYS[5]) == 1 then
  return 2
elseif redis.call('HEXISTS', KEYS[1], 'body') == 1 then
  return 0
end
local now = now_ms()
redis.call('HSET', KEYS[1], 'received', now, unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[1])
redis.call('SADD', KEYS[4], ARGV[1])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
return 1
