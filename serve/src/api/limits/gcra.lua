-- The generic cell rate algorithm of ITU-T I.371 (annex A), as a continuous-state leaky bucket. Every request pours an
-- interval into a bucket, which leaks as time passes; one that finds more than the tolerance in it is one too many.
-- Instants are microseconds and lengths nanoseconds, both below 2^53, up to which Lua's numbers are exact.
local function count(key, now, interval, tolerance)
    local level, since = 0, now
    -- What is no bucket of ours counts as none, and is replaced.
    local kept = redis.pcall('GET', key)
    if type(kept) == 'string' then
        local kept_level, kept_since = string.match(kept, '^(%d+) (%d+)$')
        level, since = tonumber(kept_level) or 0, tonumber(kept_since) or now
    end
    -- No bucket is fuller than the last request could make it.
    level = math.min(level, tolerance + interval)
    -- A clock that was set back leaks nothing at first, and goes on from there.
    level = math.max(0, level - math.max(0, now - since) * 1000)
    local refused = tolerance < level
    if refused and since <= now then
        return {1, level}
    end
    if not refused then
        level = level + interval
    end
    -- An empty bucket is as good as none.
    local expiry_ms = string.format('%.0f', math.ceil(level / 1000000))
    redis.call('SET', key, string.format('%.0f %.0f', level, now), 'PX', expiry_ms)
    return {refused and 1 or 0, level}
end
