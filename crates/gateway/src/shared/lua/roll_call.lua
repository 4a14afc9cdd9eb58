-- Enters an instance among those that are there, and returns all of them.
-- KEYS: members, version. ARGV: instance, milliseconds after which one that is not heard of is struck off.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[2])
local gone = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - lease)
-- Seen in the future: the server's clock was set back.
gone = gone + redis.call('ZREMRANGEBYSCORE', KEYS[1], now + lease, '+inf')
local new = redis.call('ZADD', KEYS[1], now, ARGV[1])
if gone + new > 0 then
  has_changed(KEYS[2])
end
redis.call('PEXPIRE', KEYS[1], 86400000)
return redis.call('ZRANGE', KEYS[1], 0, -1)
