-- Gives an instance the right to probe a deployment, unless another one holds it.
-- KEYS: marks, version. ARGV: deployment, instance, milliseconds that the right lasts.
-- Returns the milliseconds that it lasts; 0 where it is refused.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], ARGV[1])
local mark = known and cjson.decode(known)
  or { n = now, by = ARGV[2], phase = 'resting', ['until'] = now, relapses = 0 }
if mark.phase ~= 'resting' or mark['until'] > now then
  return 0
end
if mark.prober and mark.prober ~= ARGV[2] and mark.probing > now then
  return 0
end
mark.prober = ARGV[2]
mark.probing = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(mark))
redis.call('PEXPIRE', KEYS[1], 86400000)
return tonumber(ARGV[3])
