# Keys of every database by name, type, whether they end, and their content in an order of its own; the client is $0.
set -eu
for db in 0 3 15; do
    "$0" -n "$db" EVAL "
        local lines = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            local kind = redis.call('TYPE', key)['ok']
            local value
            if kind == 'string' then value = {redis.call('GET', key)}
            elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
            elseif kind == 'set' then value = redis.call('SMEMBERS', key) table.sort(value)
            elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
            elseif kind == 'hash' then
                value = {}
                local flat = redis.call('HGETALL', key)
                for i = 1, #flat, 2 do value[#value + 1] = #flat[i] .. ':' .. flat[i] .. flat[i + 1] end
                table.sort(value)
            else
                value = {}
                for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
                    value[#value + 1] = entry[1]
                    for _, text in ipairs(entry[2]) do value[#value + 1] = text end
                end
                for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
                    local pending = redis.call('XPENDING', key, group[2])
                    lines[#lines + 1] = 'group|' .. key .. '|' .. group[2] .. '|' .. group[8] .. '|' .. pending[1]
                end
            end
            for i, text in ipairs(value) do value[i] = #text .. ':' .. text end
            local name = string.gsub(key, '[^%w:]', function(c) return string.format('%%%02x', string.byte(c)) end)
            local ends = redis.call('PTTL', key) > 0 and 'ends' or 'stays'
            lines[#lines + 1] = 'key|$db|' .. name .. '|' .. kind .. '|' .. ends .. '|' .. #value .. '|' .. redis.sha1hex(table.concat(value))
        end
        table.sort(lines)
        return lines" 0
done
"$0" FUNCTION LIST WITHCODE 2>/dev/null | grep -A1 '^library_code$' | grep -v '^library_code$\|^--$' | sed 's/^/function|/' || true
