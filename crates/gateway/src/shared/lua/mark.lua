-- Reads the mark of ARGV[1], for all scripts that change one: `mark`, and the server's time `now` in milliseconds.
-- What cannot be read is no mark, nor is one from the future: then the server's clock was set back, and its deadlines
-- would come when nobody waits for them any more.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], ARGV[1])
local is_json, mark = pcall(cjson.decode, known or '')
if not is_json or type(mark) ~= 'table' or type(mark.n) ~= 'number' or mark.n > now + 1000 then
  mark = { n = 0 }
end
local ends = mark.phase == 'resting' and tonumber(mark['until']) or 0
local prober = mark.prober and (tonumber(mark.probing) or 0) > now and mark.prober
local function note(changed)
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(changed))
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
local function tell(changed)
  changed.n = math.max(mark.n + 1, now)
  changed.by = ARGV[2]
  note(changed)
  has_changed(KEYS[2])
end
