-- A node takes its place: its record, its heartbeat, and the epoch, which it makes where there is none.
--
-- KEYS  1 epoch  2 record of the node  3 nodes
-- ARGV  node  incarnation  may take over (1 or 0)  id for a new epoch  dead after (ms)  expiry (ms)
--       the epoch it was in before, then the nodes it last knew as alive
-- Gives {1, the epoch's id}, or {0, nil} when another process is this node.

local node, incarnation, dead, expiry = ARGV[1], ARGV[2], tonumber(ARGV[5]), ARGV[6]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local other = redis.call('HGET', KEYS[2], 'incarnation')
if other and other ~= incarnation then
    local seen = tonumber(redis.call('ZSCORE', KEYS[3], node) or '0')
    if ARGV[3] == '0' and seen > now - dead then return {0, false} end
    redis.call('DEL', KEYS[2])
end
redis.call('HSET', KEYS[2], 'incarnation', incarnation)
redis.call('PEXPIRE', KEYS[2], expiry)
redis.call('ZADD', KEYS[3], now, node)
redis.call('PEXPIRE', KEYS[3], expiry)

local id = redis.call('HGET', KEYS[1], 'id')
if not id then
    id = ARGV[4]
    redis.call('HSET', KEYS[1], 'id', id, 'created', now, 'deadline', now + dead)
end
-- Whatever it wrote before is in doubt.
redis.call('HDEL', KEYS[1], 'seeded:' .. node)
if not redis.call('HGET', KEYS[1], 'opened') then
    redis.call('HSET', KEYS[1], 'awaits:' .. node, 1)
end
-- Somebody who knew less may have opened a young epoch; those it did not know have not written what they hold.
local created = tonumber(redis.call('HGET', KEYS[1], 'created'))
if id ~= ARGV[7] and now - created < dead then
    for i = 8, #ARGV do
        if redis.call('HSETNX', KEYS[1], 'awaits:' .. ARGV[i], 1) == 1
            and redis.call('HEXISTS', KEYS[1], 'seeded:' .. ARGV[i]) == 0 then
            redis.call('HDEL', KEYS[1], 'opened')
            redis.call('HSET', KEYS[1], 'deadline', now + dead, 'awaits:' .. node, 1)
        end
    end
end
redis.call('PEXPIRE', KEYS[1], expiry)
return {1, id}
