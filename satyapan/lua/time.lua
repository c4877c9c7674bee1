-- Stands before every script: Redis' time, and how a number is written for Redis.

-- Return the time (ms) of this server, and the same as a text that is exact to the microsecond.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] .. ':' .. time[2]
end

-- Write a number as an integer; Lua would write a large one with an exponent.
local function text(number)
  return string.format('%.0f', number)
end
