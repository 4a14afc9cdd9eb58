-- Reads all marks with the server's time, and lets go of those that nobody needs any more.
-- KEYS: marks, version. ARGV: milliseconds that a mark is kept after its deadline or its beginning.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marks = redis.call('HGETALL', KEYS[1])
local kept = {}
for at = 1, #marks, 2 do
  local mark = cjson.decode(marks[at + 1])
  if (mark['until'] or mark.since) + tonumber(ARGV[1]) < now then
    redis.call('HDEL', KEYS[1], marks[at])
  else
    kept[#kept + 1] = marks[at]
    kept[#kept + 1] = marks[at + 1]
  end
end
return { tostring(now), kept }
