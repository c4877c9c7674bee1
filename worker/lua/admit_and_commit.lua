-- Admit one call and commit its row as SENT: both or neither.
-- admit() and commit() are the scripts of these names (admit.lua, commit.lua).
--
-- KEYS[1..17]  admit's     KEYS[18..] commit's, the row hash first
-- ARGV[1..11]  admit's     ARGV[12..] commit's: id, fence, ...
--
-- Returns what admit returns; if the call is admitted, followed by what commit returns.
-- Returns {2, 0, 0, 0, 0, 0, 0} if the fence has changed or the claim was released: no slot is
-- taken then.
local held = redis.call('HMGET', KEYS[18], 'fence', 'lease')
if held[1] ~= ARGV[13] or not held[2] then
  return {2, 0, 0, 0, 0, 0, 0}
end
local reply = admit({unpack(KEYS, 1, 17)}, {unpack(ARGV, 1, 11)})
if reply[1] == 0 then
  for _, part in ipairs(commit({unpack(KEYS, 18)}, {unpack(ARGV, 12)})) do
    reply[#reply + 1] = part
  end
end
return reply
