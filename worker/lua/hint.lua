-- Bring the next look at a journey forward, because a redirect or a webhook says it moved.
-- A hint changes when we look and (signed webhooks only) what is claimed; never the state.
--
-- KEYS[1] row hash   KEYS[2] due-index
-- ARGV[1] id         ARGV[2] least time between two looks, ms    ARGV[3] claimed status or ""
--
-- Returns the time (ms) of the next look, or 0 when there is nothing to look at.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local row = redis.call('HMGET', KEYS[1], 'state', 'due', 'lease', 'looked')
local due = tonumber(row[2] or '0')
if due == 0 or (row[1] ~= 'PENDING' and row[1] ~= 'UNKNOWN') then
  return 0
end

if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'evidence', ARGV[3])
end
if tonumber(row[3] or '0') > now then
  redis.call('HSET', KEYS[1], 'hinted', '1')
  return 0
end
due = math.min(due, math.max(now, tonumber(row[4] or '0') + ARGV[2]))
redis.call('HSET', KEYS[1], 'due', due)
redis.call('ZADD', KEYS[2], due, ARGV[1])
return due
