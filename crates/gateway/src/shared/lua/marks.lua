-- Reads all marks with the server's time, and lets go of those that nobody needs any more.
-- KEYS: marks, version. ARGV: milliseconds that a mark is kept after its deadline or its beginning.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marks = redis.call('HGETALL', KEYS[1])
local kept = {}
for at = 1, #marks, 2 do
  local is_json, mark = pcall(cjson.decode, marks[at + 1])
  local known = is_json and type(mark) == 'table'
  -- A mark without either is of another release, and for that one to let go.
  local last = known and (tonumber(mark['until']) or tonumber(mark.since)) or now
  if not known or last + tonumber(ARGV[1]) < now then
    redis.call('HDEL', KEYS[1], marks[at])
  else
    kept[#kept + 1] = marks[at]
    kept[#kept + 1] = marks[at + 1]
  end
end
return { tostring(now), kept }
