-- What becomes of the shares that a process left behind: what it held of a balance is charged as `o:…`, and its
-- requests in flight are forgotten. Each share is moved once, because moving it takes it away.
--
-- KEYS  1 nodes  2 record of the node  3… keys in which the node has shares
-- ARGV  mode  node  incarnation  dead after (ms)  the node's ledger has charged what was open (1 or 0)
--   bury      by another node: only while the node is silent; its record goes first, so that it cannot write meanwhile
--   forget    the last step of a burial
--   reclaim   by the node itself, once it has written what it has settled and holds now
-- Gives 1, or 0 when it is not (or no longer) so.

local mode, node, incarnation, dead = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local charged = ARGV[5] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

if mode == 'reclaim' then
    if redis.call('HGET', KEYS[2], 'incarnation') ~= incarnation then return 0 end
else
    local seen = redis.call('ZSCORE', KEYS[1], node)
    if not seen or tonumber(seen) > now - dead then return 0 end
    redis.call('DEL', KEYS[2])
    if mode == 'forget' then
        redis.call('ZREM', KEYS[1], node)
        return 1
    end
end

local function minus(amount)
    if amount == '0' then return amount end
    if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2) end
    return '-' .. amount
end

local function drop(key, field, value)
    redis.call('HDEL', key, field)
    redis.call('HINCRBY', key, 'total', minus(value))
end

for i = 3, #KEYS do
    local key = KEYS[i]
    local fields = redis.call('HGETALL', key)
    for j = 1, #fields, 2 do
        local field, value = fields[j], fields[j + 1]
        local kind, owner, whose = string.match(field, '^([hfo]):([^:]*):([^:]*)')
        local own = mode == 'reclaim' and whose == incarnation
        if owner ~= node then
            -- Somebody else's, or no share.
        elseif kind == 'o' then
            -- It holds them again itself, or its ledger has them.
            if mode == 'reclaim' and (own or charged) then drop(key, field, value) end
        elseif not own then
            drop(key, field, value)
            if kind == 'h' and not charged then
                redis.call('HINCRBY', key, 'o:' .. node .. ':' .. whose, value)
                redis.call('HINCRBY', key, 'total', value)
            end
        end
    end
end
return 1
