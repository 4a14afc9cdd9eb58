-- Gives an instance the right to probe a deployment, unless another one holds it.
-- KEYS: marks, version. ARGV: deployment, instance, milliseconds that the right lasts.
-- Returns the milliseconds that it lasts; 0 where it is refused.
if ends > now or (prober and prober ~= ARGV[2]) then
  return 0
end
-- Who has not heard yet that it is back will; who asks later knows of a rest that nobody else does.
if mark.phase == 'returning' and mark.n + tonumber(ARGV[3]) > now then
  return 0
end
if not mark.phase then
  mark = { n = now, by = ARGV[2], phase = 'resting', ['until'] = now, relapses = 0 }
end
mark.prober = ARGV[2]
mark.probing = now + tonumber(ARGV[3])
note(mark)
return tonumber(ARGV[3])
