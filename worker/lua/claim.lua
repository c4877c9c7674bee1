-- Claim a verification: give one worker the right to act on it until its lease expires. The fence
-- identifies the claim.
--
-- KEYS[1] row hash   KEYS[2] due-index   KEYS[3] index of ACCEPTED   KEYS[4] index of CLAIMED
-- KEYS[5] swept      KEYS[6] server, see mark.lua
-- ARGV[1] id         ARGV[2] lease, ms   ARGV[3] '1' to claim a parked row, for an operator
-- ARGV[4] gap, ms, see mark.lua          ARGV[5] grace, ms
--
-- Returns {"claimed", now, field, value, ...} or {"gone" | "settled" | "leased" | "early", now}.
-- A settled or missing row is removed from the due-index; one that is early is moved back to its
-- time. So a duplicate or late wake-up changes nothing. If a lease expired while workers were cut
-- off from this server, its claim is not taken over within the grace: its holder may be alive and
-- have an answer. Such a lease doesn't count as a crash if any worker survived the outage, because
-- it says nothing about its holder then. If none survived, this row may have crashed them.
local now = now_ms()
local row = redis.call('HMGET', KEYS[1], 'state', 'due', 'lease')

if not row[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {'gone', now}
end
local due = tonumber(row[2] or '0')
if due == 0 and not (ARGV[3] == '1' and row[1] == 'PARKED') then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {'settled', now}
end
local lease = tonumber(row[3] or '0')
if lease > now then
  redis.call('ZADD', KEYS[2], lease, ARGV[1])
  return {'leased', now}
end
if due > now then
  redis.call('ZADD', KEYS[2], due, ARGV[1])
  return {'early', now}
end

-- A claim that still has a lease was never released: its holder is gone.
if lease > 0 then
  local swept = redis.call('GET', KEYS[5])
  local server = redis.call('HMGET', KEYS[6], 'back', 'cut', 'since')
  local back, cut = tonumber(server[1] or 0), tonumber(server[2] or 0)
  -- Constantly slow sweeps look like a series of outages. A series delays takeovers for at most
  -- 60 gaps.
  if server[3] then back = math.min(back, server[3] + 60 * ARGV[4]) end
  if swept and now - swept > tonumber(ARGV[4]) then back = now end
  if now < back + ARGV[5] then
    redis.call('ZADD', KEYS[2], back + ARGV[5], ARGV[1])
    return {'leased', now}
  end
  if lease > cut + ARGV[5] then redis.call('HINCRBY', KEYS[1], 'crashes', 1) end
end
local ends = now + ARGV[2]
local state = row[1] == 'ACCEPTED' and 'CLAIMED' or row[1]
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'lease', ends, 'state', state)
redis.call('ZADD', KEYS[2], ends, ARGV[1])
if state ~= row[1] then
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], now, ARGV[1])
end
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, now)
table.insert(answer, 1, 'claimed')
return answer
