-- Commit what was decided about a claimed verification: state, result, events and the next due
-- time, in one step and only if the claim's fence is current. A stale writer changes nothing.
--
-- KEYS[1] row hash        KEYS[2] due-index       KEYS[3] index of the old state
-- KEYS[4] index of the new state                  KEYS[5] results stream
-- KEYS[6] alias: pointer to this id from an identifier that the vendor sends
-- KEYS[7] open journeys of a status route: sorted set of ids by their deadline
-- KEYS[8] slot-due: requested status reads, woken together with the rows that hold a slot
-- KEYS[9] reissues: hash of the number of further vendor-side ids, by kind and by what is known
--         of the id before
-- ARGV[1] id              ARGV[2] fence
-- ARGV[3] lease, ms: keep the claim for this time; 0 releases it
-- ARGV[4] due, ms; 0 if the row is settled or parked
-- ARGV[5] life, ms: the row expires after this time; 0 for never
-- ARGV[6] life of events, ms  ARGV[7] channel
-- ARGV[8] life of the alias, ms: -1 for ever, 0 writes none
-- ARGV[9] time (ms) until which this journey is open; 0 if it isn't; "" if this is no journey
-- ARGV[10] 1 if the next call is a status read, else 0
-- ARGV[11] field of KEYS[9] that counts a new vendor-side id; "" if this commit makes none
-- ARGV[12] number of events   ARGV[13..] events, then field, value pairs ("" removes a field)
--
-- A status read serves every request for one that came before it is sent, also since the claim:
-- such a request is counted as served, and its hint is dropped. A later request is kept, and brings
-- the next status check forward to the time that hint.lua computed.
-- Returns {1, now, number of open journeys}. Before a status read these follow, as stored now: its
-- ask ("first" or "again"), the number of asks, and the status that a webhook claimed.
-- Returns {0, now, 0} if the fence has changed.
-- A claim may be released twice, because the first reply was lost. The second release changes
-- nothing and returns {1, now, 0}. It is recognised by its state. After a failover that lost a
-- claim, two workers may have the same fence: a different state is then written, unless the row has
-- ended.
local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'fence', 'lease', 'state', 'due', 'generation')
local keep = tonumber(ARGV[3]) > 0
if held[1] ~= ARGV[2] or (keep and not held[2]) then
  return {0, now, 0}
elseif not held[2] then
  -- The state is the last part of the key of its index.
  if held[3] == string.match(KEYS[4], '%u+$') then return {1, now, 0} end
  if held[4] == '0' and held[3] ~= 'PARKED' then return {0, now, 0} end
end

local id, reading = ARGV[1], ARGV[10] == '1'
local events = tonumber(ARGV[12])
local asked = redis.call('HMGET', KEYS[1], 'ask', 'asks', 'hinted')
local set, gone = {'updated', now}, {}
for i = 13 + events, #ARGV, 2 do
  -- A repeated commit finds its own number and isn't counted again.
  if ARGV[i] == 'generation' and ARGV[i + 1] ~= held[5] then
    redis.call('HINCRBY', KEYS[9], ARGV[11], 1)
  end
  if ARGV[i + 1] == '' then
    gone[#gone + 1] = ARGV[i]
  elseif ARGV[i] ~= 'ask' or asked[1] ~= 'first' then
    set[#set + 1] = ARGV[i]
    set[#set + 1] = ARGV[i + 1]
  end
end

local due = tonumber(ARGV[4])
if keep then
  local ends = now + ARGV[3]
  set[#set + 1] = 'lease'
  set[#set + 1] = ends
  redis.call('ZADD', KEYS[2], ends, id)
else
  gone[#gone + 1] = 'lease'
  gone[#gone + 1] = 'crashes'
  if asked[3] then
    gone[#gone + 1] = 'hinted'
    if due > 0 then due = math.min(due, asked[3]) end
  end
  set[#set + 1] = 'due'
  set[#set + 1] = due
  if due > 0 then
    redis.call('ZADD', KEYS[2], due, id)
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
redis.call('HSET', KEYS[1], unpack(set))
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
end
if ARGV[9] ~= '' and tonumber(ARGV[3]) == 0 and due > 0 and redis.call('HEXISTS', KEYS[1], 'ask') == 1 then
  redis.call('ZADD', KEYS[8], due, id)
end
if reading then
  redis.call('HDEL', KEYS[1], 'ask', 'hinted')
  if asked[1] then
    redis.call('HSET', KEYS[1], 'asking', asked[1], 'asks', (asked[2] or 0) + 1)
  end
end

if KEYS[3] ~= KEYS[4] then
  redis.call('ZREM', KEYS[3], id)
end
redis.call('ZADD', KEYS[4], now, id)
if tonumber(ARGV[8]) > 0 then
  redis.call('SET', KEYS[6], id, 'PX', ARGV[8])
elseif ARGV[8] == '-1' then
  redis.call('SET', KEYS[6], id)
end
for i = 13, 12 + events do
  redis.call('XADD', KEYS[5], 'MINID', '~', now - ARGV[6], '*', 'event', ARGV[i])
end
if tonumber(ARGV[5]) > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
if events > 0 then
  redis.call('PUBLISH', ARGV[7], id)
end
local open = 0
if ARGV[9] ~= '' then
  if tonumber(ARGV[9]) > 0 then
    redis.call('ZADD', KEYS[7], ARGV[9], id)
  else
    redis.call('ZREM', KEYS[7], id)
  end
  -- Removes journeys whose end Redis lost, so that they aren't counted for ever.
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now - 86400000)
  open = redis.call('ZCARD', KEYS[7])
end
if reading then
  local row = redis.call('HMGET', KEYS[1], 'asking', 'asks', 'evidence')
  return {1, now, open, row[1] or '', row[2] or '0', row[3] or ''}
end
return {1, now, open}
