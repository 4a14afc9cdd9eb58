-- Notes that a deployment rests. Of two deadlines the later one counts.
-- KEYS: marks, version. ARGV: deployment, instance, milliseconds from now, reason, status, relapses.
local deadline = now + tonumber(ARGV[3])
-- Instances that see the same failure, or tell of it again, mean one rest.
if mark.phase == 'resting' and ends + 100 >= deadline then
  return 0
end
local rest = { phase = 'resting', ['until'] = deadline, relapses = tonumber(ARGV[6]) }
if ARGV[4] ~= '' then rest.reason = ARGV[4] end
if ARGV[5] ~= '' then rest.status = tonumber(ARGV[5]) end
tell(rest)
return 1
