-- Admission to one route of one account: assign slots to waiting rows in turn, and decide on one
-- call.
--
-- KEYS  1 slots    sorted set: admitted calls, scored by the time (ms) at which they count
--       2 reservations  sorted set: row ids that hold a slot, scored by it
--       3 queue of the normal lane, 4 of the high one
--                  sorted sets: row ids, scored by their turn; late holders come before all turns
--       5 turns    hash: v<lane> the last turn served; p<lane>:<producer> the last turn given out;
--                  run: high slots assigned in a row while a normal row waited
--       6 hold     text: the vendor's "not before" (ms); written by hold.lua
--       7 learned  text: a limit that the vendor sent, lower than the configured one
--       8 stop, 9 breaker   hashes until, step, most, code, since: the account's and the vendor's
--                  breaker; written by open_breaker.lua
--       10 due-index   11 queues  hash: accounts and routes where rows wait, to their limits
--       12 queue of the low lane, like 3 and 4
--       13 low     sorted set: calls and reservations of the low lane, scored like slots
--       14 slot-due  sorted set: row ids, scored by their slot (ms), or by the time of a status
--                  read that somebody waits for (hint.lua); the sweeper wakes them first
--       15 server  hash: id (of this server's data), durable (1: writes were on disk before they
--                  were confirmed), until (ms: hold all calls), why; see hold_all.lua, mark.lua
--       16 streak  sorted set: verifications that failed since a call was
--                  answered; see open_breaker.lua
--       17 hold for all routes of the account, like 6
-- ARGV  1 limit (>= 1)  2 window  3 margin  4 horizon  5 longest call (all ms)
--       6 name of account and route in queues   7 prefix of row keys: the keys of rows are computed
--         here, so Redis Cluster isn't supported
--       8 now (ms; tests only, empty = this server's clock)
--       9 row id ("" = only assign slots)  10 its producer  11 its lane (0 normal, 1 high, 2 low)
--       12.. with an empty row id: (row id, producer, lane) of rows to register without a claim
-- Returns {0, limit applied, probe, failing}: admitted. probe = 1: a breaker is open, and this call
--         is its probe; failing = 1: the last call failed, so report it if this one is answered
--         {1, time (ms), why}: not admitted. The row is woken for its slot, at the latest then
--         {1, 0, why, row id, ...} with an empty row id: lists the rows that were not registered,
--         because they hold a slot or may not be registered (any more)
--
-- Exact. A call counts at the time of its slot, or a quarter of the margin before its admission,
-- whichever is later. It is admitted only if fewer than `limit` calls count later than one span
-- (window + margin + 1) before that time. So no window + margin has limit + 1 calls that count in
-- it: the last of them would not have been admitted. Each call is admitted at most a quarter of the
-- margin after the time at which it counts. Three quarters of the margin remain for differences in
-- latency to the vendor. None of this depends on a worker's clock, on planned slots or on lost
-- rows.
-- Unsure. A new id means that this server was restarted or promoted. Calls that were admitted last
-- may be missing here, unless all writes were durable. If they may be, no call is admitted until a
-- window after the last moment at which one may have been lost: the start of the process, or now.
-- After a clock that stepped back, calls and reservations lie in the future. They count as of now,
-- so the delay is at most one window.
-- Planned. Slots are assigned only within the horizon, and only where calls and reservations
-- together leave room. They are four fifths of an even spacing apart, so that a new row finds a
-- slot soon and the time lost by late calls is made up. A reservation that isn't used within a
-- horizon is void; its holder comes first when it is back.
-- Fair. A row's turn is one after its producer's last turn and after the last turn served. So
-- producers take turns, and the rows of each keep their order. While a normal row waits, at most
-- three of four slots are high. The low lane is for polls, for which nobody waits. By plan it gets
-- at most half of the limit (at least one) in any window, so that the other half is free for other
-- lanes; a reservation that is used a whole window late may add one. While it waits it gets at
-- least one of ten assigned slots, so that it can't starve. A row is admitted at once if no row
-- waits in its lane or a higher one, and there is room beside all reservations.
-- Registered. Only a row that was never sent and has no claim is registered: ACCEPTED, due, no
-- lease, no attempt, before its deadline. All others must be claimed.

local slots, reservations, hold, learned = KEYS[1], KEYS[2], KEYS[6], KEYS[7]
local lanes = {[0] = KEYS[3], [1] = KEYS[4], [2] = KEYS[12]}
local turns, due, queues, low, slot_due = KEYS[5], KEYS[10], KEYS[11], KEYS[13], KEYS[14]
local server = KEYS[15]
local NORMAL, HIGH, LOW = 0, 1, 2
local limit = tonumber(ARGV[1])
local margin, horizon = tonumber(ARGV[3]), tonumber(ARGV[4])
local span = tonumber(ARGV[2]) + margin + 1
local asker = ARGV[9]
local LATE, FRONT, MOST, PATIENCE, TENTH = 1e14, 31, 500, 30000, 9

local time, exact_time = now_ms()
local now = tonumber(ARGV[8]) or time
limit = math.min(limit, tonumber(redis.call('GET', learned)) or limit)
local gap = 0.8 * span / limit

local not_before, why, open = 0, 'quota', {}
for _, key in ipairs({hold, KEYS[17]}) do
  not_before = math.max(not_before, tonumber(redis.call('GET', key)) or 0)
end
for place, name in ipairs({'account/', 'vendor/'}) do
  local found = redis.call('HMGET', KEYS[7 + place], 'until', 'step', 'most', 'code')
  if found[1] then
    table.insert(open, {KEYS[7 + place], tonumber(found[2]), tonumber(found[3])})
    not_before, why = math.max(not_before, tonumber(found[1])), name .. found[4]
  end
end

-- Return "" if an access list forbids INFO: a change of servers isn't detected then.
local function info(section)
  local reply = redis.pcall('INFO', section)
  return type(reply) == 'string' and reply or ''
end

local function uptime()
  return tonumber(string.match(info('server'), 'uptime_in_seconds:(%d+)') or 0)
end

-- Hold all calls if this is another server than before and its data may lack admitted calls.
local function know_server()
  local replication = info('replication')
  local id = string.match(replication, 'master_replid:(%w+)')
  local known = redis.call('HMGET', server, 'id', 'durable', 'until', 'why')
  local held_until, reason = tonumber(known[3] or 0), known[4]
  if id and id ~= known[1] then
    redis.call('HSET', server, 'id', id, 'durable', '0')
    local promoted = not string.match(replication, 'master_replid2:0+%s')
    if known[1] and (promoted or known[2] ~= '1') then
      local last = promoted and now or now - 1000 * uptime()
      held_until, reason = math.max(held_until, last + span), 'redis_changed'
      redis.call('HSET', server, 'until', text(held_until), 'why', reason)
    end
  end
  if held_until > now + span then -- the clock stepped back
    held_until = now + span
    redis.call('HSET', server, 'until', text(held_until))
  end
  return held_until, reason
end

local held_until, reason = know_server()
if held_until > math.max(now, not_before) then not_before, why = held_until, reason end

local function score(set, rank) return tonumber(redis.call('ZRANGE', set, rank, rank, 'WITHSCORES')[2]) end
local function held() return redis.call('ZCOUNT', reservations, text(now - horizon), '+inf') end
local function calls(since) return redis.call('ZCOUNT', slots, '(' .. text(since), '+inf') end
local function in_lane(lane) return redis.call('ZCARD', lanes[lane]) end
local function waiting() return in_lane(NORMAL) + in_lane(HIGH) + in_lane(LOW) end
local function is_in_lane(id, lane) return redis.call('ZSCORE', lanes[lane], id) and 1 or 0 end

-- Count the other rows that wait in this lane and in higher ones.
local function before(id, lane)
  local found = in_lane(HIGH) - is_in_lane(id, HIGH)
  if lane ~= HIGH then found = found + in_lane(NORMAL) - is_in_lane(id, NORMAL) end
  if lane == LOW then found = found + in_lane(LOW) - is_in_lane(id, LOW) end
  return found
end

local function low_is_full()
  return redis.call('ZCOUNT', low, '(' .. text(now - span), '+inf') >= math.max(1, math.floor(limit / 2))
end

local function count_low(id, time)
  redis.call('ZADD', low, text(time), id .. ':' .. text(time))
  redis.call('ZREMRANGEBYSCORE', low, '-inf', text(now - span))
  redis.call('PEXPIRE', low, text(time - now + span + 3600000))
end

local function far()
  return math.max(now, not_before) + PATIENCE + math.floor(2 * waiting() * span / limit)
end

local function next_slot()
  local taken = held()
  local last = math.max(score(slots, -1) or 0, taken > 0 and score(reservations, -1) or 0)
  local nth = taken >= limit and score(reservations, -limit) or score(slots, taken - limit)
  return math.max(now, not_before, last + gap, (nth or -span) + span)
end

-- Return the first row of a lane that can take a slot: one that isn't claimed now. Rows that have
-- ended are removed. The search goes on while all rows at the front had ended, until about a
-- thousand are removed in one script, which takes 3 ms; the next call of deal() removes more.
local removable = 1000
local function first(lane)
  repeat
    local ended = 0
    for _, id in ipairs(redis.call('ZRANGE', lanes[lane], 0, FRONT)) do
      if id == asker then return id end
      local row = redis.call('HMGET', ARGV[7] .. id, 'due', 'lease')
      if (row[1] or '0') == '0' then
        ended = ended + redis.call('ZREM', lanes[lane], id)
      elseif tonumber(row[2] or 0) <= now then
        return id
      end
    end
    removable = removable - ended
  until ended <= FRONT or removable <= 0
end

local function next_row()
  local found = {[HIGH] = first(HIGH), [NORMAL] = first(NORMAL)}
  if in_lane(LOW) > 0 and not low_is_full() then found[LOW] = first(LOW) end
  local known = redis.call('HMGET', turns, 'run', 'passed')
  local run, passed = tonumber(known[1] or 0), tonumber(known[2] or 0)
  local lane = (found[HIGH] and not (found[NORMAL] and run >= 3)) and HIGH or NORMAL
  if found[LOW] and (passed >= TENTH or not found[lane]) then lane = LOW end
  if found[lane] then
    if lane ~= LOW then run = (lane == HIGH and found[NORMAL]) and run + 1 or 0 end
    passed = (lane ~= LOW and found[LOW]) and passed + 1 or 0
    redis.call('HSET', turns, 'run', run, 'passed', passed)
  end
  return found[lane], lane
end

local function deal()
  for _ = 1, MOST do
    local slot = next_slot()
    if slot > now + horizon or (#open > 0 and held() > 0) then return end
    local id, lane = next_row()
    if not id then return end
    local turn = tonumber(redis.call('ZSCORE', lanes[lane], id))
    local served = tonumber(redis.call('HGET', turns, 'v' .. lane) or 0)
    redis.call('HSET', turns, 'v' .. lane, text(math.max(served, turn)))
    redis.call('ZREM', lanes[lane], id)
    redis.call('ZADD', reservations, text(slot), id)
    redis.call('PEXPIRE', reservations, text(slot - now + span + 3600000))
    redis.call('ZADD', slot_due, text(slot), id)
    if lane == LOW then count_low(id, slot) end
    if id ~= asker then
      redis.call('HSET', ARGV[7] .. id, 'due', text(slot))
      redis.call('ZADD', due, text(slot), id)
    end
  end
end

-- A poll changes its lane when somebody requests a status check.
local function leave_lanes(id, but)
  for lane = NORMAL, LOW do
    if lane ~= but then redis.call('ZREM', lanes[lane], id) end
  end
end

local function enqueue(id, producer, lane, late)
  leave_lanes(id, lane)
  if redis.call('ZSCORE', lanes[lane], id) then return end
  local turn = late and late - LATE
  if not turn then
    local mine = 'p' .. lane .. ':' .. producer
    local known = redis.call('HMGET', turns, 'v' .. lane, mine)
    turn = math.max(tonumber(known[1] or 0), tonumber(known[2] or 0)) + 1
    redis.call('HSET', turns, mine, text(turn))
  end
  redis.call('ZADD', lanes[lane], text(turn), id)
end

local function may_be_registered(row)
  return row[1] == 'ACCEPTED' and tonumber(row[2] or 0) <= now and not row[3]
    and tonumber(row[4] or 0) == 0 and tonumber(row[5] or 0) > now
end

-- Put a row in its lane without a claim; return false if it must be claimed.
local function register(id, producer, lane)
  local key = ARGV[7] .. id
  local row = redis.call('HMGET', key, 'state', 'due', 'lease', 'attempts', 'deadline')
  if redis.call('ZSCORE', reservations, id) or not may_be_registered(row) then return false end
  enqueue(id, producer, lane)
  local back = text(math.min(far(), tonumber(row[5])))
  redis.call('HSET', key, 'due', back, 'reason', why)
  redis.call('ZADD', due, back, id)
  return true
end

local function note_queue()
  if waiting() > 0 then
    redis.call('HSET', queues, ARGV[6], ARGV[1])
  elseif redis.call('DEL', turns) == 1 or asker == '' then
    redis.call('HDEL', queues, ARGV[6])
  end
end

local function admitted(counts_for)
  redis.call('ZREM', reservations, asker)
  leave_lanes(asker)
  redis.call('ZREM', slot_due, asker)
  redis.call('ZADD', slots, text(counts_for), asker .. ':' .. exact_time)
  redis.call('PEXPIRE', slots, text(math.max(score(slots, -1) - now, 0) + span + margin + 1000 + (tonumber(ARGV[8]) and 60000 or 0)))
  for _, each in ipairs(open) do
    local key, step, most = each[1], each[2], each[3]
    step = math.min(step * 2, most)
    redis.call('HSET', key, 'step', text(step), 'until', text(now + math.max(step, ARGV[5])))
    redis.call('PEXPIRE', key, 86400000)
  end
  note_queue()
  return {0, limit, #open > 0 and 1 or 0, redis.call('EXISTS', KEYS[16])}
end

-- Move calls in the future and reservations beyond the horizon to now: the clock stepped back.
local function undo_step_back(set, most)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '(' .. text(most), '+inf')) do
    redis.call('ZADD', set, text(now), member)
    local row = set == reservations and redis.call('HMGET', ARGV[7] .. member, 'due', 'lease')
    if row and (row[1] or '0') ~= '0' and not row[2] then
      redis.call('HSET', ARGV[7] .. member, 'due', text(now))
      redis.call('ZADD', due, text(now), member)
      redis.call('ZADD', slot_due, text(now), member)
    end
  end
end

undo_step_back(slots, now)
undo_step_back(reservations, now + horizon)
undo_step_back(low, now + horizon)
redis.call('ZREMRANGEBYSCORE', slots, '-inf', text(now - span - margin))
redis.call('ZREMRANGEBYSCORE', reservations, '-inf', text(now - 3600000))
if asker == '' then
  local answer = {1, 0, why}
  for at = 12, #ARGV, 3 do
    if not register(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])) then
      answer[#answer + 1] = ARGV[at]
    end
  end
  deal()
  note_queue()
  return answer
end

local lane = tonumber(ARGV[11])

local function has_room(counts_for, others)
  return now >= not_before and calls(counts_for - span) + others < limit
end

local reservation = tonumber(redis.call('ZSCORE', reservations, asker))

-- A requested status read may use its reservation of the low lane: that place in the low lane
-- becomes free again.
local function use_reservation()
  redis.call('ZREM', reservations, asker)
  redis.call('ZREM', low, asker .. ':' .. text(reservation))
end

if reservation and now < reservation then
  -- A row of the high lane is admitted early if there is room; others wait.
  if lane == HIGH and before(asker, lane) == 0 and has_room(now, held() - 1) then
    use_reservation()
    return admitted(now)
  end
  return {1, reservation, why}
end

local counts_for, others = now, 0
if reservation then
  use_reservation()
  counts_for = math.max(reservation, now - math.floor(margin / 4))
end
if not reservation or reservation < now - horizon then others = held() end
local its_turn = reservation or (before(asker, lane) == 0 and not (lane == LOW and low_is_full()))
if its_turn and has_room(counts_for, others) then
  if lane == LOW then count_low(asker, now) end
  return admitted(counts_for)
end

enqueue(asker, ARGV[10], lane, reservation)
deal()
reservation = tonumber(redis.call('ZSCORE', reservations, asker))
if reservation and reservation <= now and calls(now - span) < limit then return admitted(now) end
note_queue()
return {1, reservation or far(), why}
