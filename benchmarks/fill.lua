-- Write finished rows as a worker would have left them: the row with its life, its place in the
-- index of its state, and its last event. For measurements only: it asks nobody.
--
-- KEYS[1] index of the state   KEYS[2] results stream   KEYS[3..] row hashes
-- ARGV[1] time, ms   ARGV[2] life, ms   ARGV[3] number of words that all rows share
-- ARGV[4..] those words: field, value pairs; then for each row: id, sealed result, event
--
-- Returns how many rows were written.
local now, life, shared = ARGV[1], ARGV[2], tonumber(ARGV[3])
local words = {}
for i = 4, 3 + shared do
  words[#words + 1] = ARGV[i]
end
local at = 4 + shared
for i = 3, #KEYS do
  local id, result, event = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  redis.call('HSET', KEYS[i], 'id', id, 'result', result, unpack(words))
  redis.call('PEXPIRE', KEYS[i], life)
  redis.call('ZADD', KEYS[1], now, id)
  redis.call('XADD', KEYS[2], '*', 'event', event)
  at = at + 3
end
return #KEYS - 2
