-- Writes what an instance was asked for in the last minute, if anything, and returns the server's time with the names of
-- all instances that have told within it, also of those that are gone: what they sent still counts.
-- KEYS: instances by when they told, the instance's own.
-- ARGV: instance, milliseconds that a telling is kept, usage (JSON or nothing), milliseconds since its running second began.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
if ARGV[3] ~= '' then
  local at = string.format('%.0f', now - tonumber(ARGV[4]))
  redis.call('SET', KEYS[2], '{"at":' .. at .. ',"d":' .. ARGV[3] .. '}', 'PX', ARGV[2])
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { string.format('%.0f', now), redis.call('ZRANGE', KEYS[1], 0, -1) }
