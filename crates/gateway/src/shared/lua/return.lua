-- Notes that a deployment comes back: the probe of the instance that held the right to it was answered well.
-- KEYS: marks, version. ARGV: deployment, instance, name of the ramp, milliseconds since it began.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], ARGV[1])
local mark = known and cjson.decode(known) or { n = 0 }
if mark.prober and mark.prober ~= ARGV[2] then
  return 0
end
local new = { n = math.max(mark.n + 1, now), by = ARGV[2], phase = 'returning', ramp = ARGV[3], since = now - tonumber(ARGV[4]) }
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(new))
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[1], 86400000)
redis.call('PEXPIRE', KEYS[2], 86400000)
return 1
