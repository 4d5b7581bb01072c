-- One step of a lane: what it has settled and released first, then what it asks for, in this order.
--
-- KEYS  1 epoch  2 record of the node  3 index of the node  4… the keys that operations name by position
-- ARGV  node  incarnation  lane  generation  epoch, then operations:
--   S key value version expiry renew    what the node has settled of a balance, absolute
--   H key kind value expiry             what the lane holds: `h` of a balance, `f` requests in flight; absolute
--   T key bucket difference             corrects the tokens that an admission counted
--   A tokens accounts …                 asks: counts one request at every account, or nowhere
-- Gives {{1}, one row for each A}; {{0}} when the node must join again, and then nothing was done.
--
-- Amounts stay text on their way into HINCRBY, which counts in 64 bits; Lua's own numbers are exact to 2^53.

local node, incarnation, lane, generation, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local record = redis.call('HMGET', KEYS[2], 'incarnation', 'generation:' .. lane)
local era = redis.call('HMGET', KEYS[1], 'id', 'opened', 'seeded:' .. node)
if record[1] ~= incarnation or era[1] ~= epoch then return {{0}} end
-- The lane gave this step up and went on: it must not come true behind its back.
if tonumber(record[2] or '0') > tonumber(generation) then return {{0}} end
if record[2] ~= generation then redis.call('HSET', KEYS[2], 'generation:' .. lane, generation) end
local open = era[2] and era[3] == incarnation

local SPAN, SPANS = 5000, 13 -- any minute lies in 13 spans of 5 seconds
local span = math.floor(now / SPAN)
local WINDOW_MS = '120000'
local IDLE_MS = '3456000000' -- 40 days

local at = 5
local function take()
    at = at + 1
    return ARGV[at]
end

local function minus(amount)
    if amount == '0' then return amount end
    if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2) end
    return '-' .. amount
end

-- `+n` is from now, everything else a time. Gives the time.
local function expire(key, expiry)
    if string.sub(expiry, 1, 1) == '+' then
        redis.call('PEXPIRE', key, string.sub(expiry, 2))
        return string.format('%.0f', now + tonumber(string.sub(expiry, 2)))
    end
    redis.call('PEXPIREAT', key, expiry)
    return expiry
end

-- `total` is the sum of all shares, whoever's they are.
local function set_share(key, field, old, value)
    if old == value then return end
    if old then redis.call('HINCRBY', key, 'total', minus(old)) end
    redis.call('HINCRBY', key, 'total', value)
    redis.call('HSET', key, field, value)
end

-- Remembers until when the node has a share in `key`.
local noted = false
local function note(key, at)
    redis.call('ZADD', KEYS[3], at, key)
    if not noted then redis.call('PEXPIRE', KEYS[3], IDLE_MS) end
    noted = true
end

local function settled(key, value, version, expiry, renew)
    local known = redis.call('HMGET', key, 's:' .. node, 'v:' .. node)
    if known[2] then
        local whose, last = string.match(known[2], '^(%w+):(%d+)$')
        if whose == incarnation and tonumber(last) >= tonumber(version) then return end
    end
    set_share(key, 's:' .. node, known[1], value)
    redis.call('HSET', key, 'v:' .. node, incarnation .. ':' .. version)
    if renew or not known[1] then
        note(key, expire(key, expiry))
    end
end

local function share_of(kind)
    return kind .. ':' .. node .. ':' .. incarnation .. ':' .. lane
end

local function held(key, kind, value, expiry)
    local field = share_of(kind)
    local old = redis.call('HGET', key, field)
    if value ~= '0' then
        set_share(key, field, old, value)
        note(key, expire(key, expiry))
    elseif old then
        redis.call('HINCRBY', key, 'total', minus(old))
        redis.call('HDEL', key, field)
    end
end

local function correct(key, bucket, difference)
    local field = 't' .. bucket
    local counted = redis.call('HGET', key, field)
    if not counted then
        -- It has left the window: what was too little counts now, what was too much no longer does.
        if tonumber(difference) <= 0 then return end
        field = 't' .. span
    elseif tonumber(counted) + tonumber(difference) < 0 then
        difference = minus(counted)
    end
    redis.call('HINCRBY', key, field, difference)
    redis.call('PEXPIRE', key, WINDOW_MS)
end

-- What the last minute holds, read once in a step.
local windows = {}
local function window(key)
    local known = windows[key]
    if known then return known end
    known = {r = 0, t = 0, rows = {}}
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local kind, bucket = string.sub(fields[i], 1, 1), tonumber(string.sub(fields[i], 2))
        if bucket <= span - SPANS or bucket > span + 1 then
            redis.call('HDEL', key, fields[i])
        else
            local count = tonumber(fields[i + 1])
            known[kind] = known[kind] + count
            table.insert(known.rows, {kind = kind, bucket = bucket, count = count})
        end
    end
    windows[key] = known
    return known
end

-- How long until `excess` has left the window.
local function wait_for(known, kind, excess)
    table.sort(known.rows, function(a, b) return a.bucket < b.bucket end)
    local last = span
    for _, row in ipairs(known.rows) do
        if row.kind == kind and excess > 0 then
            excess, last = excess - row.count, row.bucket
        end
    end
    return (last + SPANS) * SPAN - now
end

local function count(key, kind, amount)
    local known = window(key)
    known[kind] = known[kind] + amount
    table.insert(known.rows, {kind = kind, bucket = span, count = amount})
    redis.call('HINCRBY', key, kind .. span, string.format('%.0f', amount))
    redis.call('PEXPIRE', key, WINDOW_MS)
end

local REQUESTS, TOKENS, CONCURRENCY, BUDGET = 1, 2, 3, 4

-- The first limit that stands against it, as a row; nil when there is none.
local function refusal(ask)
    for index, account in ipairs(ask.accounts) do
        if account.requests then
            local known = window(account.rate)
            local left = account.requests - known.r
            if left < 1 then return {0, index - 1, REQUESTS, left, wait_for(known, 'r', 1 - left), 0} end
        end
        if account.tokens then
            local known = window(account.rate)
            local left = account.tokens - known.t
            if left < ask.tokens then
                return {0, index - 1, TOKENS, left, wait_for(known, 't', ask.tokens - left), 0}
            end
        end
    end
    for index, account in ipairs(ask.accounts) do
        if account.concurrency then
            local left = account.concurrency - tonumber(redis.call('HGET', account.flights, 'total') or '0')
            if left < 1 then return {0, index - 1, CONCURRENCY, left, 0, 0} end
        end
    end
    for index, account in ipairs(ask.accounts) do
        for which, budget in ipairs(account.budgets) do
            settled(budget.key, budget.settled, budget.version, budget.expiry, false)
            local left = budget.limit - tonumber(redis.call('HGET', budget.key, 'total') or '0')
            if left < tonumber(budget.amount) then return {0, index - 1, BUDGET, left, 0, which - 1} end
        end
    end
end

local function admit(ask)
    -- The tightest of each kind: account, limit, what is left.
    local tightest = {r = {-1, 0, 0}, t = {-1, 0, 0}}
    local function narrow(kind, index, limit, key)
        local left = limit - window(key)[kind]
        if tightest[kind][1] < 0 or left < tightest[kind][3] then
            tightest[kind] = {index - 1, limit, left}
        end
    end
    local counted = {}
    for index, account in ipairs(ask.accounts) do
        if account.requests then
            count(account.rate, 'r', 1)
            narrow('r', index, account.requests, account.rate)
        end
        if account.tokens then
            count(account.rate, 't', ask.tokens)
            narrow('t', index, account.tokens, account.rate)
        end
        if account.concurrency then
            redis.call('HINCRBY', account.flights, share_of('f'), 1)
            redis.call('HINCRBY', account.flights, 'total', 1)
            note(account.flights, expire(account.flights, account.expiry))
        end
        for _, budget in ipairs(account.budgets) do
            -- Two budgets of one account and period stand on the same balance.
            if not counted[budget.key] then
                counted[budget.key] = true
                redis.call('HINCRBY', budget.key, share_of('h'), budget.amount)
                redis.call('HINCRBY', budget.key, 'total', budget.amount)
            end
        end
    end
    local r, t = tightest.r, tightest.t
    return {1, span, (span + SPANS) * SPAN - now, r[1], r[2], r[3], t[1], t[2], t[3]}
end

local function key() return KEYS[tonumber(take())] end
local function limit()
    local text = take()
    return text ~= '-' and tonumber(text) or nil
end

local function read_ask()
    local ask = {tokens = tonumber(take()), accounts = {}}
    for index = 1, tonumber(take()) do
        local account = {budgets = {}}
        account.rate = key()
        account.requests = limit()
        account.tokens = limit()
        account.flights = key()
        account.concurrency = limit()
        account.expiry = take()
        for which = 1, tonumber(take()) do
            local budget = {key = key()}
            budget.limit = tonumber(take())
            budget.amount = take()
            budget.settled = take()
            budget.version = take()
            budget.expiry = take()
            account.budgets[which] = budget
        end
        ask.accounts[index] = account
    end
    return ask
end

local rows = {{1}}
while at < #ARGV do
    local operation = take()
    if operation == 'S' then
        local where, value, version = key(), take(), take()
        local expiry, renew = take(), take()
        settled(where, value, version, expiry, renew == '1')
    elseif operation == 'H' then
        local where, kind = key(), take()
        local value, expiry = take(), take()
        held(where, kind, value, expiry)
    elseif operation == 'T' then
        local where, bucket, difference = key(), take(), take()
        correct(where, bucket, difference)
    else
        local ask = read_ask()
        if open then
            table.insert(rows, refusal(ask) or admit(ask))
        else
            table.insert(rows, {2})
        end
    end
end
return rows
