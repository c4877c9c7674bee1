-- Sort verifications by what must be done with them now, without claiming any. Those that need
-- nothing now are removed from the due-index or moved back to their time, as claim.lua does it.
--
-- KEYS[1] due-index   KEYS[2] queues: accounts and routes where rows wait, to their limits
-- ARGV[1] prefix of row keys (row keys are computed here, so Redis Cluster isn't supported)
-- ARGV[2] ms until a row taken from the due-index is due again, in case its wake-up is lost
-- ARGV[3] rows to be claimed are due again up to this many ms later, evenly spread
-- ARGV[4] maximum number to take from the due-index; 0: sort ARGV[5..] only
-- ARGV[5..] ids
--
-- Returns {now, time of the next one in the due-index or 0, {queue, ...}, {id, ...},
-- {id, kind, vendor, account, producer, priority, ...}}: accounts and routes where rows wait; rows
-- to be claimed; rows that were never sent and have no claim, which may be registered without one.
local now = now_ms()
local index, most = KEYS[1], tonumber(ARGV[4])
local ids = {}
if most > 0 then
  ids = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, most)
end
for at = 5, #ARGV do ids[#ids + 1] = ARGV[at] end

local FIELDS = {'state', 'due', 'lease', 'attempts', 'deadline', 'parent', 'kind', 'vendor',
  'account', 'reply_to', 'priority'}
local claim, fresh = {}, {}
for _, id in ipairs(ids) do
  local row = redis.call('HMGET', ARGV[1] .. id, unpack(FIELDS))
  local due, lease = tonumber(row[2] or 0), tonumber(row[3] or 0)
  if not row[1] or due == 0 then
    redis.call('ZREM', index, id)
  elseif math.max(lease, due) > now then
    redis.call('ZADD', index, lease > now and lease or due, id)
  else
    local back = now + ARGV[2]
    if row[1] == 'ACCEPTED' and lease == 0 and tonumber(row[4] or 0) == 0 and not row[6]
        and tonumber(row[5] or 0) > now then
      fresh[#fresh + 1] = id
      for at = 7, 11 do fresh[#fresh + 1] = row[at] or '' end
    else
      claim[#claim + 1] = id
      back = back + math.floor(ARGV[3] * #claim / #ids)
    end
    if most > 0 then redis.call('ZADD', index, back, id) end
  end
end
local following = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
return {text(now), following[2] and text(following[2]) or '0', redis.call('HKEYS', KEYS[2]), claim, fresh}
