-- Insert a verification if its id is free: write row, due-index and state index in one step.
--
-- KEYS[1] row hash          KEYS[2] due-index          KEYS[3] index of the row's state
-- ARGV[1] id                ARGV[2] digest
-- ARGV[3] grace, ms: if the wake-up is lost, the sweeper wakes the row after this time
-- ARGV[4] life, ms: the row must be sent within this time; a child row must end within it
-- ARGV[5..] field, value pairs
--
-- Returns {1, digest, state, now} when inserted, {0, stored digest, stored state, now} when the id
-- is taken.
local now = now_ms()
local taken = redis.call('HMGET', KEYS[1], 'digest', 'state')
if taken[2] then
  return {0, taken[1] or '', taken[2], now}
end

local state = 'ACCEPTED'
local fields = {}
for i = 5, #ARGV, 2 do
  fields[i - 4], fields[i - 3] = ARGV[i], ARGV[i + 1]
  if ARGV[i] == 'state' then
    state = ARGV[i + 1]
  end
end
for _, part in ipairs({'id', ARGV[1], 'digest', ARGV[2], 'state', state, 'created', now,
    'updated', now, 'due', now, 'deadline', now + ARGV[4]}) do
  fields[#fields + 1] = part
end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
return {1, ARGV[2], state, now}
