-- Notes that a deployment rests. Of two deadlines the later one counts.
-- KEYS: marks, version. ARGV: deployment, instance, milliseconds from now, reason, status, relapses.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], ARGV[1])
local mark = known and cjson.decode(known) or { n = 0 }
local untilms = now + tonumber(ARGV[3])
if mark.phase == 'resting' and mark['until'] >= untilms then
  return 0
end
local new = { n = math.max(mark.n + 1, now), by = ARGV[2], phase = 'resting', ['until'] = untilms, relapses = tonumber(ARGV[6]) }
if ARGV[4] ~= '' then new.reason = ARGV[4] end
if ARGV[5] ~= '' then new.status = tonumber(ARGV[5]) end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(new))
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[1], 86400000)
redis.call('PEXPIRE', KEYS[2], 86400000)
return 1
