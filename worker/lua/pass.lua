-- Let one call through: a slot of the gate and the row made durable (SENT), both or neither.
-- gate() and commit() are the scripts of these names (gate.lua, commit.lua).
--
-- KEYS[1..17]  the gate's     KEYS[18..] commit's, the row hash first
-- ARGV[1..11]  the gate's     ARGV[12..] commit's: id, fence, ...
--
-- Returns what the gate returns; behind a "go" what commit returns. {2, 0, 0, 0, 0, 0, 0} when the
-- fence is not ours any more, or the claim was given back: then no slot is taken either.
local held = redis.call('HMGET', KEYS[18], 'fence', 'lease')
if held[1] ~= ARGV[13] or not held[2] then
  return {2, 0, 0, 0, 0, 0, 0}
end
local told = gate({unpack(KEYS, 1, 17)}, {unpack(ARGV, 1, 11)})
if told[1] == 0 then
  for _, word in ipairs(commit({unpack(KEYS, 18)}, {unpack(ARGV, 12)})) do
    told[#told + 1] = word
  end
end
return told
