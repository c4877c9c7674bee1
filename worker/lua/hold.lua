-- Store a "not before" that the vendor sent: no worker makes a call before then, on one route of an
-- account or on all its routes.
--
-- KEYS[1] hold   text: not before this time (ms)
-- ARGV    1 wait (ms from now)  2 now (ms; tests only, empty = this server's clock)
-- Returns the time (ms) that applies now. It only moves later.
-- Uses no other key. The key expires at that time.

local now = tonumber(ARGV[2]) or now_ms()
local known = tonumber(redis.call('GET', KEYS[1]) or 0)
local asked = now + tonumber(ARGV[1])
if asked > known then
  redis.call('SET', KEYS[1], text(asked), 'PX', text(asked - now + 1000))
  return asked
end
return known
