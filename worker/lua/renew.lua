-- Renew the leases of many claims in one step, for the process that holds them.
--
-- KEYS[1] due-index
-- ARGV[1] prefix of row keys (so this needs a server that holds all keys)
-- ARGV[2] lease, ms
-- ARGV[3..] id, fence pairs
--
-- A lease that has ended is renewed too: while nobody took the row over, its holder keeps it. A row
-- under another fence, a claim that was given back and a row that is gone stay as they are.
-- Returns the ids of those.
local ends = now_ms() + ARGV[2]
local lost = {}
for at = 3, #ARGV, 2 do
  local id, key = ARGV[at], ARGV[1] .. ARGV[at]
  local held = redis.call('HMGET', key, 'fence', 'lease')
  if held[1] == ARGV[at + 1] and held[2] then
    redis.call('HSET', key, 'lease', ends)
    redis.call('ZADD', KEYS[1], ends, id)
  else
    lost[#lost + 1] = id
  end
end
return lost
