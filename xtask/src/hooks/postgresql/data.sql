-- A shop, as one finds them: many types, keys, partitions, views, large objects, the same at every run. Run by psql with
-- `n` set, which everything grows with: 100 makes about 200 MB.
select setseed(0.42);

create extension if not exists hstore;
create schema sales;
create schema "Odd ""Schema";

create type sales.status as enum ('new', 'paid', 'packed', 'shipped', 'returned');
create type sales.address as (street text, city text, zip text);
create domain sales.email as text check (value like '%@%');
create sequence sales.invoice_number start 10001 increment 7;

create table sales.customers (
    id          bigint generated always as identity primary key,
    email       sales.email not null unique,
    name        text not null,
    born        date,
    address     sales.address,
    tags        text[] not null default '{}',
    attributes  hstore,
    token       uuid not null,
    last_ip     inet,
    balance     numeric(12, 2) not null default 0,
    created_at  timestamptz not null,
    initials    text generated always as (left(name, 1)) stored
);
insert into sales.customers (email, name, born, address, tags, attributes, token, last_ip, balance, created_at)
select format('user%s@example.com', n),
       initcap(substr(md5(random()::text), 1, 7)) || ' ' || initcap(substr(md5(random()::text), 1, 9)),
       date '1940-01-01' + (random() * 24000)::int,
       row (n || ' Main Street', (array['Zürich', 'Łódź', '東京', 'Åre', 'O''Fallon'])[1 + n % 5], lpad((n % 99999)::text, 5, '0'))::sales.address,
       case when n % 3 = 0 then array['vip', 'newsletter'] when n % 3 = 1 then array[null, 'with "quotes"', '\backslash'] else '{}' end,
       hstore('plan', (array['free', 'pro', null])[1 + n % 3]),
       md5('token' || n)::uuid,
       ('10.' || n % 256 || '.' || n / 256 % 256 || '.1')::inet,
       round((random() * 10000 - 500)::numeric, 2),
       timestamptz '2020-01-01 00:00:00+00' + n * interval '7 minutes'
from generate_series(1, 800 * :n) n;

create table sales.products (
    sku          char(8) primary key,
    title        text not null,
    description  text,
    price        money not null,
    weight       real,
    rating       double precision,
    dimensions   int[][],
    on_sale      tstzrange,
    search       tsvector generated always as (to_tsvector('english', title || ' ' || coalesce(description, ''))) stored
);
insert into sales.products (sku, title, description, price, weight, rating, dimensions, on_sale)
select lpad(n::text, 8, 'P'), 'Product ' || n,
       case when n % 10 > 0 then repeat('A sentence about thing ' || md5(n::text) || '. ', 1 + n % 12) end,
       (random() * 900)::numeric::money, (random() * 40)::real,
       case n % 50 when 0 then 'NaN' when 1 then 'Infinity' else random() * 5 end,
       array[[n % 10, 2], [3, n % 7]],
       tstzrange(timestamptz '2024-01-01' + n * interval '1 hour', null)
from generate_series(1, 200 * :n) n;

create table sales.orders (
    id           bigint not null,
    customer_id  bigint not null,
    status       sales.status not null,
    invoice      bigint not null default nextval('sales.invoice_number'),
    placed_at    timestamp not null,
    delivery     interval,
    note         text
) partition by range (placed_at);
create table sales.orders_2022 partition of sales.orders for values from ('2022-01-01') to ('2023-01-01');
create table sales.orders_2023 partition of sales.orders for values from ('2023-01-01') to ('2024-01-01');
create table sales.orders_2024 partition of sales.orders for values from ('2024-01-01') to ('2025-01-01');
create table sales.orders_rest partition of sales.orders default;
insert into sales.orders (id, customer_id, status, placed_at, delivery, note)
select n, 1 + (random() * (800 * :n - 1))::int, (enum_range(null::sales.status))[1 + n % 5],
       timestamp '2022-01-01' + n * interval '7 minutes', (n % 200) * interval '1 hour 3 seconds',
       case when n % 20 = 0 then E'tab\there,\nline, and \\N that is no null' end
from generate_series(1, 2500 * :n) n;

create table sales.items (
    order_id   bigint not null,
    placed_at  timestamp not null,
    line       smallint not null,
    sku        char(8) not null,
    quantity   int not null check (quantity > 0),
    price      numeric(10, 2) not null
);
insert into sales.items
select n, timestamp '2022-01-01' + n * interval '7 minutes', line,
       lpad((1 + (n * line) % (200 * :n))::text, 8, 'P'), 1 + n % 9, round((random() * 900)::numeric, 2)
from generate_series(1, 2500 * :n) n, generate_series(1, 2) line;

create table public.events (
    id       bigserial primary key,
    at       timestamptz not null,
    payload  jsonb not null,
    raw      json,
    flags    bit varying(16)
);
insert into public.events (at, payload, raw, flags)
select timestamptz '2024-03-01 00:00:00+00' + n * interval '11 seconds',
       jsonb_build_object('kind', (array['click', 'view', 'buy'])[1 + n % 3], 'user', n % (800 * :n),
                          'session', md5(random()::text), 'depth', jsonb_build_array(n % 7, null, true, random())),
       case when n % 4 = 0 then '{"a":  1, "a": 2}'::json end, (n % 65536)::bit(16)::bit varying
from generate_series(1, 1200 * :n) n;

create table public.files (
    name      text primary key,
    content   bytea not null,
    checksum  text not null
);
alter table public.files alter content set storage external;
insert into public.files
select 'file-' || n, content, md5(content)
from (select n, decode(md5(n::text) || repeat(md5(random()::text) || md5(random()::text), 6000), 'hex') as content
      from generate_series(1, 3 * :n) n) files;

create table public.attachments (id int primary key, object oid not null);
insert into public.attachments
select n, lo_from_bytea(0, convert_to(repeat('large object ' || n || E'\n', 4000), 'UTF8'))
from generate_series(1, 40) n;

create table "Odd ""Schema"."select * from ""x"";" ("a b" int primary key, "Ünïcode" text, "from" text);
insert into "Odd ""Schema"."select * from ""x"";" select n, chr(256 + n), null from generate_series(1, 1000) n;
create table public.empty (id int primary key, nothing text);
create unlogged table public.cache (key text primary key, value text);
insert into public.cache select 'k' || n, md5(n::text) from generate_series(1, 5000) n;

-- Keys and indexes after the data, as one loads a database.
alter table sales.orders add primary key (id, placed_at);
alter table sales.orders add foreign key (customer_id) references sales.customers;
alter table sales.items add primary key (order_id, line);
alter table sales.items add foreign key (sku) references sales.products;
alter table sales.items add foreign key (order_id, placed_at) references sales.orders (id, placed_at);
create index on sales.customers using gin (tags);
create index on sales.customers (lower(email));
create index on sales.orders (customer_id);
create index on sales.items (sku) where quantity > 5;
create index on public.events using gin (payload jsonb_path_ops);
create index on sales.products using gin (search);

create view sales.revenue as
select date_trunc('month', placed_at) as month, sum(quantity * price) as total from sales.items group by 1;
create materialized view sales.best_customers as
select c.id, c.name, count(*) as orders from sales.customers c join sales.orders o on o.customer_id = c.id
group by c.id, c.name having count(*) > 8;
create unique index on sales.best_customers (id);

create function sales.touch() returns trigger language plpgsql as $$
begin
    new.created_at := coalesce(new.created_at, now());
    return new;
end $$;
create trigger touch before insert on sales.customers for each row execute function sales.touch();
alter table sales.customers enable row level security;
create policy nobody_else on sales.customers using (email = current_user);
comment on table sales.customers is 'People; "quotes" and \backslashes and ümlauts';
grant usage on schema sales to public;
grant select (id, name) on sales.customers to public;
analyze;
