-- One big table of ordinary rows, about 400 bytes each as text; :rows of them.
select setseed(0.42);
create table big (
    id          bigint not null,
    account     uuid not null,
    created_at  timestamptz not null,
    amount      numeric(12, 2) not null,
    quantity    int not null,
    status      smallint not null,
    name        text not null,
    note        text,
    payload     jsonb not null
);
insert into big
select n, md5((n % 500000)::text)::uuid, timestamptz '2023-01-01 00:00:00+00' + n * interval '3 seconds',
       round((random() * 100000)::numeric, 2), (random() * 1000)::int, n % 7,
       (array['Anna', 'Björn', 'Chloé', 'Dmitri', 'Emily', 'Fatima', 'George'])[1 + n % 7] || ' ' || substr(md5(random()::text), 1, 10),
       case when n % 3 > 0 then 'Delivered to the neighbour on floor ' || n % 40 || '; signature ' || md5(random()::text)
            || '; the parcel was ' || (array['intact', 'opened', 'wet', 'late'])[1 + n % 4] end,
       jsonb_build_object('session', md5(random()::text), 'path', '/shop/item/' || n % 20000,
                          'agent', 'Mozilla/5.0 (X11; Linux x86_64) Gecko/' || 100 + n % 30, 'score', random())
from generate_series(1, :rows) n;
alter table big add primary key (id);
create index on big (account);
vacuum analyze big;
