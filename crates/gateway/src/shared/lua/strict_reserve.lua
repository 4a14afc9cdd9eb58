-- Takes a place on the least busy of the candidates that have one, for an instance whose epoch still counts.
-- KEYS: members, totals, own. ARGV: instance, epoch, seed (0: the first of equals), then for each candidate: deployment,
-- class (lower goes first), limit (0: none), weight, what counts as busy beside its requests.
-- Returns the candidate, counted from 1, and the number of instances; 0 where all are full, -1 where the epoch is over.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return { -1, 0 }
end
local names = {}
for at = 4, #ARGV, 5 do
  names[#names + 1] = ARGV[at]
end
local totals = redis.call('HMGET', KEYS[2], unpack(names))
local seed = tonumber(ARGV[3])
math.randomseed(seed)
local chosen, class, load, ties = 0, 0, 0, 0
for i = 1, #names do
  local at = 5 * i - 1
  local total, limit = tonumber(totals[i] or 0), tonumber(ARGV[at + 2])
  if limit == 0 or total < limit then
    local its_class = tonumber(ARGV[at + 1])
    local its_load = (2 * (total + tonumber(ARGV[at + 4])) + 1) / tonumber(ARGV[at + 3])
    if chosen == 0 or its_class < class or (its_class == class and its_load < load) then
      chosen, class, load, ties = i, its_class, its_load, 1
    elseif its_class == class and its_load == load and seed ~= 0 then
      ties = ties + 1
      if math.random(ties) == 1 then
        chosen = i
      end
    end
  end
end
if chosen ~= 0 then
  redis.call('HINCRBY', KEYS[2], names[chosen], 1)
  redis.call('HINCRBY', KEYS[3], names[chosen], 1)
end
return { chosen, redis.call('HLEN', KEYS[1]) }
