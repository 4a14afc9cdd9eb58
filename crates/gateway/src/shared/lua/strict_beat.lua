-- Renews an instance's lease, and takes out of the totals what instances had whose leases have run out.
-- KEYS: members, totals, own, alive, then own and alive of each other instance. ARGV: instance, epoch, milliseconds of the
-- lease, the others.
-- Returns 1, all instances, and deployments with their totals; -1 where the epoch is over.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return { -1, {}, {} }
end
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
for i = 1, #ARGV - 3 do
  local own, alive = KEYS[2 * i + 3], KEYS[2 * i + 4]
  if redis.call('EXISTS', alive) == 0 and redis.call('HDEL', KEYS[1], ARGV[3 + i]) == 1 then
    local counts = redis.call('HGETALL', own)
    for at = 1, #counts, 2 do
      if redis.call('HINCRBY', KEYS[2], counts[at], -counts[at + 1]) == 0 then
        redis.call('HDEL', KEYS[2], counts[at])
      end
    end
    redis.call('DEL', own)
  end
end
-- What a fleet that is switched off leaves behind goes in a day.
for _, key in ipairs({ KEYS[1], KEYS[2], KEYS[3] }) do
  redis.call('PEXPIRE', key, 86400000)
end
return { 1, redis.call('HKEYS', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
