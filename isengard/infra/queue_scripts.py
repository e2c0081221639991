"""The Lua behind the queue: each script is one all-or-nothing step on the server (Redis 6.2 commands only)."""

from __future__ import annotations

# KEYS: index, seq, idempotency, stream, all, by-type, by-status, by-type-and-status, by-character
# ARGV: id, job JSON, created_us, idempotency key or '', has character ('1'/''), channel, what is published,
#       then the stream entry's fields
SUBMIT = """
if ARGV[4] ~= '' then
  local known = redis.call('HGET', KEYS[3], ARGV[4])
  if known then return {known, redis.call('HGET', KEYS[1], known)} end
  redis.call('HSET', KEYS[3], ARGV[4], ARGV[1])
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return {ARGV[1], false} end -- the client sends it again
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], 0)
for i = 5, 8 do redis.call('ZADD', KEYS[i], ARGV[3], ARGV[1]) end
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[9], ARGV[3], ARGV[1]) end
redis.call('XADD', KEYS[4], '*', unpack(ARGV, 8))
redis.call('PUBLISH', ARGV[6], ARGV[7])
return {ARGV[1], false}
"""

# Reads the first waiting entry of some streams, and the job it names.
_NEXT = """
local function next_entry(index, streams, group, consumer)
  for _, stream in ipairs(streams) do
    local found = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
    if found then
      local entry = found[1][2][1]
      return {stream, entry[1], redis.call('HGET', index, entry[2][2])}
    end
  end
  return false
end
"""

# KEYS: index, then the job streams; ARGV: group, consumer
CLAIM = f"""{_NEXT}
return next_entry(KEYS[1], {{unpack(KEYS, 2)}}, ARGV[1], ARGV[2])
"""

# Compare-and-set on the job's sequence number, so that a late or lost writer changes nothing.
# KEYS: index, seq, progress stream, status set before, status set after, type-status before, after, job stream,
#       delayed set, then the job streams to take the next entry from
# ARGV: id, expected seq, job JSON, created_us, progress maxlen, ttl after the end ('' while it goes on),
#       what is published: kind and entry JSON, channel, group, stream entry to acknowledge or '', due time in ms or '',
#       requeue fields count, consumer to take the next entry or '', requeue fields…, progress fields…
RECORD = f"""{_NEXT}
local seq = redis.call('HGET', KEYS[2], ARGV[1])
if seq ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], seq + 1)
if KEYS[4] ~= KEYS[5] then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
  redis.call('ZREM', KEYS[6], ARGV[1])
  redis.call('ZADD', KEYS[7], ARGV[4], ARGV[1])
  redis.call('ZREM', KEYS[9], ARGV[1])
end
local n = tonumber(ARGV[12])
local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', unpack(ARGV, 14 + n))
if ARGV[6] ~= '' then redis.call('EXPIRE', KEYS[3], ARGV[6]) else redis.call('PERSIST', KEYS[3]) end
redis.call('PUBLISH', ARGV[8], id .. ' ' .. ARGV[7])
if ARGV[10] ~= '' then
  redis.call('XACK', KEYS[8], ARGV[9], ARGV[10])
  redis.call('XDEL', KEYS[8], ARGV[10])
end
if ARGV[11] ~= '' then redis.call('ZADD', KEYS[9], ARGV[11], ARGV[1])
elseif n > 0 then redis.call('XADD', KEYS[8], '*', unpack(ARGV, 14, 13 + n)) end
if ARGV[13] == '' then return {{id, false}} end
return {{id, next_entry(KEYS[1], {{unpack(KEYS, 10)}}, ARGV[9], ARGV[13])}}
"""

# KEYS: delayed set, job stream; ARGV: id, then the stream entry's fields
PROMOTE = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
return 1
"""

# KEYS: index, seq, progress stream, then the lists; ARGV: id, seq. A job that changed meanwhile stays.
FORGET = """
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
for i = 4, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
"""
