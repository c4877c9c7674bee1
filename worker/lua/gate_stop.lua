-- The vendor refuses the account itself: stop all its calls until a probe gets through.
--
-- KEYS[1] stop   hash: until (ms, next probe), step (ms, wait before it), code, since (ms)
-- ARGV    1 code  2 probe (ms: the first wait)  3 now (ms; tests only, empty = this server's clock)
-- Returns the time (ms) of the next probe. A stopped account keeps its probe time: calls that were
-- on their way when it stopped, and the probe itself, must not move it.
-- Touches its key only, which expires a day after the last stop or probe.

local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local text = string.format
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'until', text('%.0f', now + tonumber(ARGV[2])), 'step', ARGV[2],
    'since', text('%.0f', now))
end
redis.call('HSET', KEYS[1], 'code', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 86400000)
return tonumber(redis.call('HGET', KEYS[1], 'until'))
