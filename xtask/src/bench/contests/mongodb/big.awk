# Ordinary documents as lines of extended JSON; n of them, about 400 bytes each.
function word() { return sprintf("%08x%08x", rand() * 4294967296, rand() * 4294967296) }
BEGIN {
    srand(42)
    split("Anna Bob Chloe Dmitri Emily Fatima George", names, " ")
    for (i = 1; i <= n; i++)
        printf "{\"_id\":%d,\"account\":\"%s\",\"created_at\":{\"$date\":{\"$numberLong\":\"%.0f\"}},\"amount\":%.2f,\"quantity\":%d,\"status\":%d,\"name\":\"%s %s\",\"note\":\"Delivered to the neighbour on floor %d; signature %s\",\"visit\":{\"session\":\"%s%s\",\"path\":\"/shop/item/%d\",\"agents\":[\"Mozilla/5.0 (X11; Linux x86_64) Gecko/%d\",\"%s\"],\"score\":%.6f}}\n", i, word(), 1672531200000 + i * 3000, rand() * 100000, rand() * 1000, i % 7, names[1 + i % 7], word(), i % 40, word(), word(), word(), i % 20000, 100 + i % 30, word(), rand()
}
