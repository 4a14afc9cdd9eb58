-- Takes an instance out, with all that it has.
-- KEYS: members, totals, own, alive. ARGV: instance, epoch.
-- Returns 1; 0 where the epoch is over.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
local counts = redis.call('HGETALL', KEYS[3])
for at = 1, #counts, 2 do
  if redis.call('HINCRBY', KEYS[2], counts[at], -counts[at + 1]) == 0 then
    redis.call('HDEL', KEYS[2], counts[at])
  end
end
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
