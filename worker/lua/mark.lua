-- Note that workers are at work, whether they were cut off from this server until now, and whether
-- it has every write on disk when it confirms it.
--
-- KEYS[1] swept   text: when (ms) a worker swept last
-- KEYS[2] server  hash: back, when (ms) workers came back after none had swept for a while; since,
--                 when they first did in a series of such times; cut, when (ms) a worker came back
--                 that had swept before; id and durable, see admit.lua
-- ARGV[1] gap, ms: so long without a sweep means that they were cut off
-- ARGV[2] id of the server's data of which ARGV[3] tells: 1 if every write is durable
-- ARGV[4] 1 if this very worker swept before, and then not for the gap
--
-- Returns {now}.
local now = now_ms()
local swept, server = redis.call('GET', KEYS[1]), redis.call('HMGET', KEYS[2], 'back', 'cut')
local function long_ago(time) return now - tonumber(time or 0) > 4 * ARGV[1] end
if swept and now - swept > tonumber(ARGV[1]) then
  if long_ago(server[1]) then redis.call('HSET', KEYS[2], 'since', text(now)) end
  redis.call('HSET', KEYS[2], 'back', text(now))
end
if ARGV[4] == '1' and long_ago(server[2]) then
  redis.call('HSET', KEYS[2], 'cut', text(now))
end
if redis.call('HGET', KEYS[2], 'id') == ARGV[2] then
  redis.call('HSET', KEYS[2], 'durable', ARGV[3])
end
redis.call('SET', KEYS[1], text(now))
return {now}
