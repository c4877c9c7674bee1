-- May this account call this route now, at a reserved time, or not at all? One atomic decision.
--
-- KEYS[1] slots  sorted set of reserved times (ms) of one account and route. Members:
--                "h:<slot>" a ticket, given out and still to be used; "u:<slot>:<n>" used;
--                "limit" with the negated limit of the last call as its score
-- KEYS[2] hold   text: not before this time (ms); written by gate_hold.lua
-- KEYS[3] stop   hash until, step, code, since: the account's breaker; written by gate_stop.lua
-- ARGV    1 limit (>= 1)  2 held slot (ms, 0 = none)  3 window (ms)  4 margin (ms)
--         5 probe (ms: first wait of the breaker)  6 now (ms; tests only, empty = this server's clock)
-- Returns {0, probe, ""} go, probe = 1 if this call tries a stopped account
--         {1, slot, ""} come back at slot, holding it    {2, until, code} account stopped
-- Touches its three keys only; slots and stop are given an expiry.
--
-- Why no sliding window sees more than `limit` calls. Let span = window + margin.
--  1. A new slot is >= now, >= every earlier slot, and >= span after the limit-th latest one. So of
--     any limit + 1 slots, the last is at least span after the first. Slots are dropped only when
--     nobody will use them, or when they are span old and can't bind a new one.
--  2. A call starts at its slot or up to margin later (a later holder is given a new slot).
--  3. So of any limit + 1 calls, last start >= last slot >= first slot + span
--     >= first start - margin + span = first start + window.
-- A slot is used once: its ticket is gone with the call, and future slots differ by at least 1 ms
-- so that each has its own. When the limit is lowered all tickets are void, since they may be too
-- dense now, also together with calls made out of turn; their holders are given new slots behind
-- those already used. When it is raised nothing is missing: slots are dropped by age, never by
-- count. A clock that steps back only delays: see 1.
-- What is left of the margin, after the caller's lateness, covers the way to the vendor.

local GO, AT, STOPPED = 0, 1, 2
local slots, hold, stop = KEYS[1], KEYS[2], KEYS[3]
local limit, held = tonumber(ARGV[1]), tonumber(ARGV[2])
local window, margin, probe = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local span = window + margin
local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function text(number) return string.format('%.0f', number) end

local function remember(slot, member)
  redis.call('ZADD', slots, text(slot), member)
  local last = tonumber(redis.call('ZRANGE', slots, -1, -1, 'WITHSCORES')[2])
  redis.call('PEXPIRE', slots, text(math.max(last - now, 0) + span + 1000))
end

local function use(slot)
  local n = 0
  while redis.call('ZSCORE', slots, 'u:' .. text(slot) .. ':' .. n) do n = n + 1 end
  remember(slot, 'u:' .. text(slot) .. ':' .. n)
end

local account = redis.call('HMGET', stop, 'until', 'step', 'code')
local closed_until = tonumber(account[1])
if closed_until and now < closed_until then
  return {STOPPED, closed_until, account[3]}
end

-- The first call after the wait tries the account; the next try moves further away.
local function go()
  if not closed_until then return {GO, 0, ''} end
  local step = math.min(tonumber(account[2]) * 2, probe * 10)
  redis.call('HSET', stop, 'step', text(step), 'until', text(now + step))
  redis.call('PEXPIRE', stop, 86400000)
  return {GO, 1, ''}
end

redis.call('ZREMRANGEBYSCORE', slots, 0, text(now - span))
local known = -tonumber(redis.call('ZSCORE', slots, 'limit') or -limit)
if known > limit then
  for _, member in ipairs(redis.call('ZRANGE', slots, 0, -1)) do
    if string.sub(member, 1, 2) == 'h:' then redis.call('ZREM', slots, member) end
  end
end
redis.call('ZADD', slots, -limit, 'limit')
local not_before = tonumber(redis.call('GET', hold) or 0)

local ticket = 'h:' .. text(held)
if held > 0 and redis.call('ZSCORE', slots, ticket) then
  if math.max(now, held) >= not_before and now <= held + margin then
    if now < held then return {AT, held, ''} end
    redis.call('ZREM', slots, ticket)
    use(held)
    return go()
  end
  redis.call('ZREM', slots, ticket)
end

local last = tonumber(redis.call('ZRANGE', slots, -1, -1, 'WITHSCORES')[2] or 0)
local nth = tonumber(redis.call('ZRANGE', slots, -limit, -limit, 'WITHSCORES')[2] or -span)
local slot = math.max(now, not_before, last, nth + span)
if slot <= now then
  use(now)
  return go()
end
if slot == last then slot = last + 1 end
remember(slot, 'h:' .. text(slot))
return {AT, slot, ''}
