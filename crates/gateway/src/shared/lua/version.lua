-- Tells all instances that something has changed. A version that is no number from 0 up is begun anew.
local function has_changed(version)
  local number = redis.pcall('INCR', version)
  if type(number) ~= 'number' or number < 1 then
    redis.call('SET', version, '1')
  end
  redis.call('PEXPIRE', version, 86400000)
end
