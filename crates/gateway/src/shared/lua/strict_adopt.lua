-- Begins a new epoch of an instance with all that it has, whatever was counted for it before. Totals are counted anew from
-- their owners, without those that are gone.
-- KEYS: members, totals, own, alive, then own and alive of each other instance. ARGV: instance, epoch, milliseconds of the
-- lease, number of others, the others, then deployment and count, as often as needed.
-- Returns 1 and all instances; 0 where others are there that were not named; -1 where a later epoch has begun.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(ARGV[2]) <= tonumber(known) then
  return { -1, {} }
end
local others = tonumber(ARGV[4])
local named = { [ARGV[1]] = true }
for i = 1, others do
  named[ARGV[4 + i]] = true
end
local members = redis.call('HKEYS', KEYS[1])
local is_member = {}
for _, member in ipairs(members) do
  if not named[member] then
    return { 0, members }
  end
  is_member[member] = true
end
redis.call('DEL', KEYS[2], KEYS[3])
for i = 1, others do
  local member, own, alive = ARGV[4 + i], KEYS[2 * i + 3], KEYS[2 * i + 4]
  if is_member[member] then
    if redis.call('EXISTS', alive) == 0 then
      redis.call('DEL', own)
      redis.call('HDEL', KEYS[1], member)
    else
      local counts = redis.call('HGETALL', own)
      for at = 1, #counts, 2 do
        redis.call('HINCRBY', KEYS[2], counts[at], counts[at + 1])
      end
    end
  end
end
for at = 5 + others, #ARGV, 2 do
  if 0 < tonumber(ARGV[at + 1]) then
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
    redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1])
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
return { 1, redis.call('HKEYS', KEYS[1]) }
