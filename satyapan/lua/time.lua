-- Prepended to every script: reads Redis' time and formats numbers for Redis.

-- Return this server's time in ms, as a number and as a text with microsecond precision.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] .. ':' .. time[2]
end

-- Format a number as an integer. By default Lua writes large numbers with an exponent.
local function text(number)
  return string.format('%.0f', number)
end
