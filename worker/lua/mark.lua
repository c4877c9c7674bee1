-- Record that a worker sweeps now, whether workers were cut off from this server until now, and
-- whether the server confirms writes only once they are on disk.
--
-- KEYS[1] swept   text: time (ms) of the last sweep by any worker
-- KEYS[2] server  hash: back, time (ms) of the first sweep after a gap; since, the same for the
--                 first gap of a series; cut, time (ms) at which a worker swept that had swept
--                 before the gap; id and durable, see admit.lua
-- ARGV[1] gap, ms: workers count as cut off if none swept for this long
-- ARGV[2] id of the server's data   ARGV[3] 1 if that server confirms only durable writes
-- ARGV[4] 1 if this worker has swept before, but not within the gap
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
