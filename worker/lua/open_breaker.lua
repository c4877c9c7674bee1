-- Open a breaker. The account's opens at once, and so does a route's if our settings make its calls
-- fail. The vendor's opens when too many calls fail: too large a share of many calls, or every one
-- of a few in a row, be they rare or repeats of each other.
--
-- KEYS[1] breaker  hash: until (ms, next probe), step (ms, wait before it), most (ms), code, since
-- KEYS[2] failures sorted set: verifications whose last call failed, by time (ms)    } counting
-- KEYS[3] slots    sorted set of the admitted calls, see admit.lua                   } breakers
-- KEYS[4] streak   sorted set: verifications that failed since a call was answered,  } only
--                  by the time (ms) of their first failure
-- ARGV    1 code  2 first wait (ms)  3 longest wait (ms)  4 probe: 1 if the failed call was one
--         5 now (ms; tests only, empty = this server's clock)
--         6 row id  7 count over (ms)  8 minimum number of calls  9 share of failures that opens
--         it, per cent  10 number of failures in a row that opens it when there are fewer calls, or
--         when all have failed for the time over which calls are counted;
--         6 to 10 for counting breakers only
-- Returns {time (ms) of the next probe or 0 if it isn't open, 1 if this call opened it}.
-- Calls that were under way when it opened don't move the probe; the probe itself does.
-- Failures are counted per verification, so that one bad verification never opens it.

local breaker = KEYS[1]
local now = tonumber(ARGV[5]) or now_ms()

local function enough()
  local since = text(now - ARGV[7])
  redis.call('ZADD', KEYS[2], text(now), ARGV[6])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', since)
  redis.call('PEXPIRE', KEYS[2], ARGV[7] + (tonumber(ARGV[5]) and 60000 or 0))
  local failed = redis.call('ZCARD', KEYS[2])
  local calls = math.max(failed, redis.call('ZCOUNT', KEYS[3], '(' .. since, '+inf'))
  redis.call('ZADD', KEYS[4], 'NX', text(now), ARGV[6])
  redis.call('PEXPIRE', KEYS[4], 86400000)
  local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]
  local few = calls < tonumber(ARGV[8])
  if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[10]) and (few or tonumber(first) <= now - ARGV[7]) then
    return true
  end
  return not few and failed * 100 >= calls * ARGV[9]
end

local known = redis.call('HMGET', breaker, 'until', 'step')
local ends, opened = tonumber(known[1] or 0), 0
if known[1] then
  if ARGV[4] == '1' then ends = now + known[2] end
elseif #KEYS == 1 or enough() then
  ends, opened = now + ARGV[2], 1
  redis.call('HSET', breaker, 'step', ARGV[2], 'most', ARGV[3], 'since', text(now))
end
if ends > 0 then
  redis.call('HSET', breaker, 'until', text(ends), 'code', ARGV[1])
  redis.call('PEXPIRE', breaker, 86400000)
end
return {ends, opened}
