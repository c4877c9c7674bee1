-- Renew the leases of all claims that a process holds, in one step.
--
-- KEYS[1] due-index
-- ARGV[1] prefix of row keys (row keys are computed here, so Redis Cluster isn't supported)
-- ARGV[2] lease, ms
-- ARGV[3..] id, fence pairs
--
-- An expired lease is renewed too if no other worker has taken the row over. A row with another
-- fence, a released claim and a missing row are left unchanged.
-- Returns the ids of the rows that were left unchanged.
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
