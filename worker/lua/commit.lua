-- Commit what was decided about a claimed verification: state, result, events and the next due
-- time in one step, and only under the fence of the claim. A stale writer changes nothing.
--
-- KEYS[1] row hash        KEYS[2] due-index       KEYS[3] index of the old state
-- KEYS[4] index of the new state                  KEYS[5] results stream
-- KEYS[6] alias (pointer from something the vendor sends to this id)
-- KEYS[7] open journeys of a status route: sorted set of ids by their deadline
-- KEYS[8] slot-due: a status read that somebody waits for is woken with the holders of slots
-- ARGV[1] id              ARGV[2] fence
-- ARGV[3] lease, ms: keep the claim for so long; 0 gives it back
-- ARGV[4] due, ms; 0 when the row is settled or parked
-- ARGV[5] life, ms: the row is kept so long from now; 0 for ever
-- ARGV[6] events live, ms     ARGV[7] channel
-- ARGV[8] life of the alias, ms: -1 for ever, 0 writes none
-- ARGV[9] this journey is open until then, ms; 0 when it isn't; "" for what is no journey
-- ARGV[10] 1 when the vendor is asked next how the journey stands (a status read), else 0
-- ARGV[11] number of events   ARGV[12..] events, then field, value pairs ("" removes a field)
--
-- A status read answers everything that was asked for before it is sent, also what was asked for
-- since the claim: such an ask is counted as served, and its hint is dropped. An ask that comes
-- later is kept, and brings the next status check forward to the time that hint.lua found.
-- Returns {1, now, number of open journeys}, before a status read also its ask, the number of asks
-- and what a webhook claimed, as they are stored now; {0, now, 0} when the fence is not ours any more.
-- Giving a claim back again, because the reply was lost, changes nothing: {1, now, 0}. It is known by
-- its state. After a failover that lost a claim two workers may have the same fence: then another
-- state is written over all but an end.
local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'fence', 'lease', 'state', 'due')
local keep = tonumber(ARGV[3]) > 0
if held[1] ~= ARGV[2] or (keep and not held[2]) then
  return {0, now, 0}
elseif not held[2] then
  -- The name of the new state's index ends with the state.
  if held[3] == string.match(KEYS[4], '%u+$') then return {1, now, 0} end
  if held[4] == '0' and held[3] ~= 'PARKED' then return {0, now, 0} end
end

local id, reading = ARGV[1], ARGV[10] == '1'
local events = tonumber(ARGV[11])
local asked = redis.call('HMGET', KEYS[1], 'ask', 'asks', 'hinted')
local set, gone = {'updated', now}, {}
for i = 12 + events, #ARGV, 2 do
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
for i = 12, 11 + events do
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
  -- What a lost second of Redis left behind isn't counted for ever.
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now - 86400000)
  open = redis.call('ZCARD', KEYS[7])
end
if reading then
  local row = redis.call('HMGET', KEYS[1], 'asking', 'asks', 'evidence')
  return {1, now, open, row[1] or '', row[2] or '0', row[3] or ''}
end
return {1, now, open}
