-- Bring the next status check of a journey forward, because a redirect or a webhook came.
-- A hint changes the time of that check and, from a signed webhook, the claimed status. It never
-- changes the state.
--
-- KEYS[1] row hash   KEYS[2] due-index   KEYS[3] slot-due
-- ARGV[1] id         ARGV[2] minimum time between two checks, ms
-- ARGV[3] maximum time between two requested checks, ms; 0: nobody waits for this one
-- ARGV[4] claimed status or ""
--
-- Requested checks are throttled: the first comes after the minimum time, and the delay doubles
-- with each one that finds the journey still open. It starts again at the minimum when a webhook
-- claims another status, and after twice the maximum time without a request. A requested check that
-- is due later is added to slot-due, so that it doesn't wait behind a long queue.
-- Returns the time (ms) of the next check, or 0 when there is nothing to check.
local now = now_ms()
local row = redis.call('HMGET', KEYS[1], 'state', 'due', 'lease', 'checked', 'ask', 'asks', 'evidence', 'last_ask',
  'hinted')
local due = tonumber(row[2] or '0')
if due == 0 or (row[1] ~= 'PENDING' and row[1] ~= 'UNKNOWN') then
  return 0
end

local news = ARGV[4] ~= '' and ARGV[4] ~= (row[7] or '')
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'evidence', ARGV[4])
end
local wait, most, checked = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(row[4] or '0')
if most > 0 then
  local asks, quiet = tonumber(row[6] or '0'), now - tonumber(row[8] or '0') > 2 * most
  redis.call('HSET', KEYS[1], 'last_ask', now)
  if asks > 0 and (news or quiet) then
    asks = 0
    redis.call('HDEL', KEYS[1], 'asks')
    if quiet then redis.call('HDEL', KEYS[1], 'asked') end
  end
  wait = math.min(most, wait * 2 ^ asks)
  redis.call('HSETNX', KEYS[1], 'asked', now)
  if row[5] ~= 'first' then
    redis.call('HSET', KEYS[1], 'ask', asks == 0 and 'first' or 'again')
  end
end
local soon = math.max(now, checked + wait)
if row[3] then
  -- A worker holds the row; commit.lua uses this when the claim is released. The same applies after
  -- the lease has expired: its holder may still deliver an answer, and a row that another worker
  -- may take over is due already.
  redis.call('HSET', KEYS[1], 'hinted', math.min(soon, tonumber(row[9] or soon)))
  return 0
end
due = math.min(due, soon)
redis.call('HSET', KEYS[1], 'due', due)
redis.call('ZADD', KEYS[2], due, ARGV[1])
if most > 0 and due > now then
  redis.call('ZADD', KEYS[3], due, ARGV[1])
end
return due
