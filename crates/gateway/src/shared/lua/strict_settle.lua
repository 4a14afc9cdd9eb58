-- Gives places back, and counts those that were taken without asking. Nobody gives back more than it has.
-- KEYS: members, totals, own. ARGV: instance, epoch, then deployment and change, as often as needed.
-- Returns the number of instances, -1 where the epoch is over.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return -1
end
for at = 3, #ARGV, 2 do
  local has = tonumber(redis.call('HGET', KEYS[3], ARGV[at]) or 0)
  local change = math.max(tonumber(ARGV[at + 1]), -has)
  if change ~= 0 then
    if redis.call('HINCRBY', KEYS[2], ARGV[at], change) == 0 then
      redis.call('HDEL', KEYS[2], ARGV[at])
    end
    if redis.call('HINCRBY', KEYS[3], ARGV[at], change) == 0 then
      redis.call('HDEL', KEYS[3], ARGV[at])
    end
  end
end
return redis.call('HLEN', KEYS[1])
