-- Write finished rows as copies of one that a worker has finished: the row with its expiry, its
-- entry in the index of its state, and its last event. For measurements only: nothing is checked.
--
-- KEYS[1] index of the state   KEYS[2] results stream   KEYS[3] the row to copy
-- KEYS[4..] row hashes
-- ARGV[1] time, ms   ARGV[2..] for each row: id, sealed result, event
--
-- Returns the number of rows that were written.
local at = 2
for i = 4, #KEYS do
  local id, result, event = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  redis.call('COPY', KEYS[3], KEYS[i])
  redis.call('HSET', KEYS[i], 'id', id, 'result', result)
  redis.call('ZADD', KEYS[1], ARGV[1], id)
  redis.call('XADD', KEYS[2], '*', 'event', event)
  at = at + 3
end
return #KEYS - 3
