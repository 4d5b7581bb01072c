-- A node's heartbeat. Opens the epoch once everybody it waits for has written what it holds, or was silent too long.
--
-- KEYS  1 epoch  2 record of the node  3 nodes  4 index of the node
-- ARGV  node  incarnation  epoch  has seeded (1 or 0)  dead after (ms)  youngest open age (ms)  expiry (ms)
-- Gives {1, open (1 or 0), the nodes alive, the nodes that are not}; {0, …} when the node must join again.

local node, incarnation, epoch = ARGV[1], ARGV[2], ARGV[3]
local dead, grace, expiry = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local known = redis.call('HMGET', KEYS[1], 'id', 'created', 'deadline', 'opened')
if redis.call('HGET', KEYS[2], 'incarnation') ~= incarnation or known[1] ~= epoch then return {0, 0, {}, {}} end
redis.call('ZADD', KEYS[3], now, node)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], expiry) end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'seeded:' .. node, incarnation) end

local function all_are_in()
    if now < tonumber(known[2]) + grace then return false end
    if now >= tonumber(known[3]) then return true end
    local fields = redis.call('HGETALL', KEYS[1])
    local seeded = {}
    for i = 1, #fields, 2 do
        local name = string.match(fields[i], '^seeded:(.*)$')
        if name then seeded[name] = true end
    end
    for i = 1, #fields, 2 do
        local name = string.match(fields[i], '^awaits:(.*)$')
        if name and not seeded[name] then return false end
    end
    return true
end

local open = known[4] and 1 or 0
if open == 0 and all_are_in() then
    redis.call('HSET', KEYS[1], 'opened', now)
    open = 1
end
local alive = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. now - dead, '+inf')
local silent = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - dead)
return {1, open, alive, silent}
