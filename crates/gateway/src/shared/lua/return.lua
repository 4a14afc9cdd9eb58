-- Notes that a deployment comes back, as the probe showed of the instance that held the right to it, or of one that
-- had to ask it with nobody holding that.
-- KEYS: marks, version. ARGV: deployment, instance, name of the ramp, milliseconds since it began.
local since = now - tonumber(ARGV[4])
if prober and prober ~= ARGV[2] then
  return 0
end
-- A rest that was noted after it came back is the later news.
if mark.phase == 'resting' and mark.n > since then
  return 0
end
-- Of returns that began within a second all instances go by the one whose name comes first, whoever tells last.
local function comes_first(one, other)
  return #one < #other or (#one == #other and one < other)
end
local began = mark.phase == 'returning' and tonumber(mark.since)
if began and type(mark.ramp) == 'string' and math.abs(since - began) <= 1000 and not comes_first(ARGV[3], mark.ramp) then
  return 0
end
tell({ phase = 'returning', ramp = ARGV[3], since = since })
return 1
