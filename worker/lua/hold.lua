-- The vendor said "not before": hold every worker's calls until then, of one account and
-- route or of all routes of an account.
--
-- KEYS[1] hold   text: not before this time (ms)
-- ARGV    1 wait (ms from now)  2 now (ms; tests only, empty = this server's clock)
-- Returns the time (ms) that holds now. It only ever moves later.
-- Touches its key only, which expires when the time has come.

local now = tonumber(ARGV[2]) or now_ms()
local known = tonumber(redis.call('GET', KEYS[1]) or 0)
local asked = now + tonumber(ARGV[1])
if asked > known then
  redis.call('SET', KEYS[1], text(asked), 'PX', text(asked - now + 1000))
  return asked
end
return known
