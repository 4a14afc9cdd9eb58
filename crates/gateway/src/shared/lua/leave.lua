-- Takes an instance out, with all it has told.
-- KEYS: members, version, the instance's own. ARGV: instance.
redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[1], ARGV[1])
has_changed(KEYS[2])
return 1
