-- Claim a verification: the right to act on it, proved by a fence, for as long as the lease.
--
-- KEYS[1] row hash   KEYS[2] due-index   KEYS[3] index of ACCEPTED   KEYS[4] index of CLAIMED
-- KEYS[5] swept      KEYS[6] server, see mark.lua
-- ARGV[1] id         ARGV[2] lease, ms   ARGV[3] '1' to claim a parked row, for a person
-- ARGV[4] gap, ms, see mark.lua          ARGV[5] grace, ms
--
-- Returns {"claimed", now, field, value, ...} or {"gone" | "settled" | "leased" | "early", now}.
-- A row that is settled or gone leaves the due-index; one that is early is put back at its time,
-- so a doubled or late wake-up changes nothing. A claim whose lease ended while workers were cut off
-- from this server is not taken over within the grace: its holder may be alive and have an answer.
-- Nor does it count as a crash if a worker lived through that: that a lease ended then says nothing
-- about its holder. If none did, it may be this row that ended them.
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

-- A lease that is still there was never given back: its holder vanished.
if lease > 0 then
  local swept = redis.call('GET', KEYS[5])
  local server = redis.call('HMGET', KEYS[6], 'back', 'cut', 'since')
  local back, cut = tonumber(server[1] or 0), tonumber(server[2] or 0)
  -- Sweeps that are always slow look like a series of outages. A series delays taking over for 60
  -- gaps at most.
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
