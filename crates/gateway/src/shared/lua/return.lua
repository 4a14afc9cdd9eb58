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
tell({ phase = 'returning', ramp = ARGV[3], since = since })
return 1
