# Small keys of several kinds as the commands that make them, in the protocol's own form; n of them.
function say(command, parts, n, i) {
    n = split(command, parts, "\t")
    printf "*%d\r\n", n
    for (i = 1; i <= n; i++) printf "$%d\r\n%s\r\n", length(parts[i]), parts[i]
}
function word() { return sprintf("%08x%08x", rand() * 4294967296, rand() * 4294967296) }
BEGIN {
    srand(42)
    for (i = 1; i <= n; i++) {
        kind = i % 10
        if (kind < 6) say(sprintf("SET\tsession:%d\t%s; last seen at /shop/item/%d by Mozilla/5.0 Gecko/%d", i, word(), i % 20000, 100 + i % 30))
        else if (kind == 6) say(sprintf("HSET\tcart:%d\titem\t%d\tquantity\t%d\tprice\t%.2f\tnote\t%s", i, i % 20000, i % 7, rand() * 1000, word()))
        else if (kind == 7) say(sprintf("RPUSH\tqueue:%d\t%s\t%s\t%s", i, word(), word(), word()))
        else if (kind == 8) say(sprintf("ZADD\trank:%d\t%.3f\tanna\t%.3f\tbjorn\t%.3f\tchloe", i, rand(), rand(), rand()))
        else say(sprintf("SET\tcounter:%d\t%d", i, i * 7))
    }
}
