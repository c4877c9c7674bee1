-- Hold all calls until a window has passed, because this server's clock jumped forward: calls
-- admitted before the jump look older than they are. Several workers may report one jump; it counts
-- once.
--
-- KEYS[1] server  hash: until (ms), why, see admit.lua; jumped (ms), by (ms)
-- ARGV    1 size of the jump (ms)  2 it happened within the last so many ms
--         3 span, see admit.lua (ms)
--         4 now (ms; tests only, empty = this server's clock)
-- Returns the time (ms) until which all calls are held, or 0 if they aren't.
local now = tonumber(ARGV[4]) or now_ms()
local known = redis.call('HMGET', KEYS[1], 'jumped', 'by', 'until')
local same = known[1] and tonumber(known[1]) >= now - ARGV[2] - 1000
  and math.abs(known[2] - ARGV[1]) <= 1000
if not same then
  redis.call('HSET', KEYS[1], 'jumped', text(now), 'by', ARGV[1])
  redis.call('HSET', KEYS[1], 'until', text(now + ARGV[3]), 'why', 'clock_jumped')
end
return tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
