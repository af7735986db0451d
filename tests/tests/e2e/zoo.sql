-- Objects of every kind, under names that break careless quoting; run by psql, in an empty database.
\set ON_ERROR_STOP 1
select case when current_setting('server_version_num')::int >= 130000 then 'pg_snapshot' else 'txid_snapshot' end as snapshot,
       case when current_setting('server_version_num')::int >= 130000 then 'xid8' else 'numeric' end as xid8,
       current_setting('server_version_num')::int >= 140000 as since_14,
       current_setting('server_version_num')::int >= 150000 as since_15,
       current_setting('server_version_num')::int >= 170000 as since_17,
       current_setting('server_version_num')::int >= 180000 as since_18 \gset

-- What belongs to the database as a whole. The formats below are traps for whoever reads rows as text.
alter database :"DBNAME" owner to "zoo keeper";
comment on database :"DBNAME" is 'it''s a "zoo" with a \ in it';
alter database :"DBNAME" set search_path to "x.a", x, public, "no""such";
alter database :"DBNAME" set work_mem to '5MB';
alter database :"DBNAME" set zoo.custom to 'it''s, "quoted" \ and = all';
alter database :"DBNAME" set datestyle to 'German, DMY';
alter database :"DBNAME" set intervalstyle to 'sql_standard';
alter database :"DBNAME" set extra_float_digits to -3;
alter database :"DBNAME" set bytea_output to 'escape';
alter database :"DBNAME" set timezone to 'Asia/Kathmandu';
alter database :"DBNAME" set lc_monetary to 'de_DE.utf8';
alter database :"DBNAME" set statement_timeout to '10min';
alter role "zoo keeper" in database :"DBNAME" set work_mem to '7MB';
grant connect, create on database :"DBNAME" to zoo_reader with grant option;
revoke temporary on database :"DBNAME" from public;
alter database :"DBNAME" connection limit 90;

create extension hstore;
create extension citext;
create extension pg_trgm;
create extension btree_gist;
create extension file_fdw;
create extension postgres_fdw;
create schema "ext en";
create extension planb_zoo schema "ext en";
insert into "ext en".planb_settings values ('mine', 'added by a user'), ('with condition', 'too');
select setval('"ext en".planb_settings_seq', 77);

-- Names: two tables whose dotted names are the same, and every character that means something to somebody.
create schema x;
create schema "x.a";
create table x."a.b" (id int primary key, t text);
create table "x.a".b (id int primary key, t text);
insert into x."a.b" values (1, 'a.b in x');
insert into "x.a".b values (1, 'b in x.a'), (2, 'more');
create schema "we""ird";
create table "we""ird"."quote""d 'name' $$ \ %s {} *?,;" ("col ""1""" int primary key, "select" text, "été ☃ 漢字" text, "A b" text default 'it''s \');
insert into "we""ird"."quote""d 'name' $$ \ %s {} *?,;" values (1, E'tab\there', E'line\nfeed', E'\\N'), (2, '\.', E'cr\r\nlf', null), (3, '', ' ', E'\\\\');
create schema "Ünïcode 漢字";
create table "Ünïcode 漢字"."TABLE" (id int generated always as identity (start 7 increment 3) primary key, "Wert" text);
insert into "Ünïcode 漢字"."TABLE" ("Wert") select 'w' || i from generate_series(1, 10) i;
create table x."../../etc/passwd" (id int);
insert into x."../../etc/passwd" values (1);
create table x."new
line" (id int, "co
l" text);
insert into x."new
line" values (1, 'x');
create table x."a name that is exactly sixty-three bytes long, which is the end" (id int);
create table x."A" (id int);
create table x."a" (id int);
insert into x."A" values (1);
insert into x."a" values (2), (3);
create table public.manifest (json text);
insert into public.manifest values ('{}');

-- Built-in types, all of which can travel in binary.
create schema types;
create table types.built_in (
  id int primary key, i2 smallint, i8 bigint, n numeric, n2 numeric(10,3), f4 real, f8 double precision, b boolean,
  c "char", ch char(5), vc varchar(20), t text, nm name, by bytea, m money, d date, ti time, tz time with time zone,
  ts timestamp, tstz timestamptz, iv interval, u uuid, bi bit(5), vb bit varying, ip inet, ci cidr, mac macaddr,
  mac8 macaddr8, p point, ln line, ls lseg, bx box, pa path, po polygon, cir circle, j json, jb jsonb, jp jsonpath,
  xm xml, tv tsvector, tq tsquery, lsn pg_lsn, sn :snapshot, x8 :xid8, o oid, td tid, r4 int4range, r8 int8range,
  nr numrange, dr daterange, tr tsrange, tzr tstzrange, ai int[], at text[], an numeric[], ad date[], ajb jsonb[], aby bytea[]);
insert into types.built_in (id) values (0);
insert into types.built_in values
 (1, -32768, 9223372036854775807, 'NaN', 1234567.891, '3.4028235e38', '1.7976931348623157e308', true, 'x', 'ab', 'vc',
  E'\\N', 'name', '\x00ff5c0a0d09', '$1,234,567.89', 'infinity', '24:00:00', '12:34:56.789012+05:45', 'infinity',
  '-infinity', '178000000 years', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', B'10101', B'1', '10.1.2.3/8', '2001:db8::/32',
  '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(1.5,-2)', '{1,-1,0}', '[(0,0),(1,1)]', '(2,2),(0,0)',
  '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>', '{"a" :  1, "a": 2}', '{"b": [1, null, "☃"], "a": 1e5}',
  '$.a[*] ? (@ > 1)', '<a b="c">d &amp; e</a>', 'a:1A fat:2B,4C cat:5D', 'fat & (rat | !cat:AB) <2> x', '16/B374D848',
  '10:20:10,14,15', '42', 4294967295, '(1,2)', '[1,10)', '(,)', '[1.5,)', '[2020-01-01,infinity)', 'empty',
  '[1970-01-01 00:00:00+00,)', '{1,NULL,3}', '{"a b",NULL,"NULL","q\"uote","back\\slash",""}', '{{1.10,NaN},{NULL,0}}',
  '[5:6]={infinity,4713-01-01 BC}', '{"{\"a\": 1}",null}', '{"\\xdead","\\x"}'),
 (2, 32767, -9223372036854775808, '-0.00000000000000000000000000000000001234567890123456789', -0.001, '-infinity', 'NaN', false,
  '', '', '', '', '', '', '-$92,233,720,368,547,758.08', '4713-01-01 BC', '00:00', '23:59:59.999999-15:59', '4713-01-01 00:00:00 BC',
  '294276-12-31 23:59:59.999999+00', '-1 mons +2 days -03:00:00.000001', '00000000-0000-0000-0000-000000000000', B'00000', B'', '::1', '0.0.0.0/0',
  '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff', '(-0,1e300)', '{0,1,2}', '[(1e-300,0),(1,1)]', '(2,2),(0,0)', '((0,0),(1,1))', '((0,0))',
  '<(0,0),0>', '[]', '"\u00e9\\ \" \t"', '$', '', '', '', '0/0', '1:1:', '0', 0, '(0,1)', 'empty', '[-9223372036854775808,9223372036854775807)',
  '(-1.000,2.00]', '(,2020-01-01)', '(-infinity,infinity)', 'empty', '{}', '{}', '{}', '{}', '{}', '{}'),
 (3, 0, 0, '99999999999999999999999999999999999999999999999999.0000', 0, '1.17549435e-38', '4.9406564584124654e-324', null, ' ', ' ', ' ',
  E'\r\n\t\b\f\v\\ "'' \x01\x7f é ☃ 漢 🦓', repeat('n', 63), decode(repeat('00', 70000), 'hex'), '0', '5874897-12-31', '12:00:00.000001', '00:00+00',
  '1970-01-01', '1000-01-01 12:00:00+00', '00:00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', B'11111', repeat('10', 500)::varbit, '255.255.255.255',
  '::/0', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00', '(0.1,0.2)', '{3,4,5}', '[(0.1,0.2),(0.3,0.4)]', '(1,1),(1,1)', '[(0,0)]', '((1,1),(2,2))',
  '<(0.1,0.2),0.3>', 'null', 'null', 'strict $."a b"', '<?xml version="1.0"?><r/>', '''it''''s'' ''a b'':3', '''it''''s'':*', 'FFFFFFFF/FFFFFFFF',
  '1:1:', '18446744073709551615', 1, '(4294967295,65535)', '(,5)', '[5,5]', 'empty', 'empty', '[4713-01-01 BC,)', '(,)',
  '{{{1,2},{3,4}},{{5,6},{7,8}}}', array_fill('x'::text, array[2, 3], array[0, -1]), array[0.1, -0.10], null, null, null);
insert into types.built_in (id, f4, f8) select i, random(), random() from generate_series(4, 500) i;
create table types.catalogs (id int, oids oidvector, i2v int2vector, x xid, ci cid, rc refcursor, ts txid_snapshot);
insert into types.catalogs values (1, '1 2 3', '4 5', '3', '4', 'cursor', '10:20:10,14,15');
-- These name objects: as text they mean the same elsewhere.
create table types.names (id int, c regclass, t regtype, p regproc, pr regprocedure, o regoper, op regoperator, r regrole, n regnamespace,
  cf regconfig, dc regdictionary, ac regclass[], acl aclitem);
insert into types.names values (1, 'x."a.b"', 'types.built_in', 'pg_catalog.now', 'pg_catalog.abs(int)', 'pg_catalog.||/', '+(int,int)', '"zoo keeper"', '"x.a"',
  'english', 'simple', '{"\"x.a\".b",pg_class}', '"zoo keeper"=r/postgres');
create type types.mood as enum ('sad', 'ok', 'it''s "fine" \', 'happy');
alter type types.mood add value 'very sad' before 'sad';
create type types.pair as (a int, b text);
create type types.deep as (p types.pair, m types.mood, l types.pair[]);
create type types.with_gap as (a int, b text, c date);
alter type types.with_gap drop attribute b;
create domain types.positive as numeric(8,2) default 1 check (value > 0) not null;
create domain types.pairs as types.pair[];
create domain types.moods as types.mood;
create type types.span as range (subtype = float8, subtype_diff = float8mi);
create table types.mine (id int primary key, m types.mood, ms types.mood[], p types.pair, ps types.pair[], d types.deep, g types.with_gap,
  po types.positive, pp types.pairs, dm types.moods, s types.span, ss types.span[], row types.built_in);
insert into types.mine (id, m, ms, p, ps, d, g, po, pp, dm, s, ss, row)
  select i, (array['very sad', 'it''s "fine" \', 'happy'])[1 + i % 3]::types.mood, '{sad,"it''s \"fine\" \\",NULL}', row(i, E'b\t\\')::types.pair, array[row(1, null)::types.pair, null],
  row(row(i, 'x')::types.pair, 'ok', array[row(2, 'y')::types.pair])::types.deep, row(i, '2020-02-29')::types.with_gap, i + .5, array[row(3, 'z')::types.pair], 'sad', '[0.1,0.2)', '{"[1,2]",empty}',
  (select whole from types.built_in whole where whole.id = i) from generate_series(1, 3) i;
-- Composite values alone, so that this one travels in binary.
create table types.simple (id int, m types.mood, p types.pair, g types.with_gap, po types.positive, s types.span);
insert into types.simple select i, 'happy', row(i, 'b')::types.pair, row(i, '2000-01-01')::types.with_gap, i, '(,5]' from generate_series(1, 50) i;
-- Columns of an extension's types: text, with all that text has to escape.
create table types.extensions (id int primary key, h hstore, c citext unique, t text);
insert into types.extensions values (1, 'a=>1, "b c"=>NULL, "q\"\\"=>"\\N"', 'CiText', E'\\N'), (2, '', E'\\.', E'\r\n\t\b\f\v\\'), (3, null, null, null),
  (4, '"k"=>"☃"', '\N', E'\x01\x7f'), (5, hstore('k', E'\n'), E'\n', '\.');
create index on types.extensions using gin (t gin_trgm_ops);
\if :since_14
create table types.multi (id int, mr int4multirange, nm nummultirange, tm tstzmultirange, n numeric, b "char"[]);
insert into types.multi values (1, '{[1,3),[5,)}', '{}', '{[1970-01-01 00:00:00+00,infinity)}', 'Infinity', '{a,NULL}'), (2, null, '{[1.5,2]}', '{}', '-Infinity', '{}');
create type types.span2 as range (subtype = int4, multirange_type_name = types.spans2);
create table types.mine_multi (s types.spans2);
insert into types.mine_multi values ('{[1,2],[5,9)}'), ('{}');
\endif
\if :since_15
create table types.scaled (n numeric(3,-2), m numeric(3,5));
insert into types.scaled values (12345, 0.00123);
\endif

-- Columns: identity, generated, dropped, added with a default, none at all.
create schema columns;
create table columns.evolved (a int, b text, c int, d text);
insert into columns.evolved values (1, 'gone', 2, 'x');
alter table columns.evolved drop column b, add column e text default 'later', add column "........pg.dropped" int default 5;
insert into columns.evolved values (2, 3, 'y', 'own', 6);
alter table columns.evolved alter a set statistics 500, alter d set storage external, set (fillfactor = 70, autovacuum_enabled = off);
create table columns.generated (id bigint generated by default as identity, w int, h int, area int generated always as (w * h) stored, label text generated always as ('w' || w) stored);
insert into columns.generated (w, h) select i, i + 1 from generate_series(1, 100) i;
create table columns.only_generated (g int generated always as (6 * 7) stored);
insert into columns.only_generated default values;
insert into columns.only_generated default values;
create table columns.none ();
insert into columns.none default values;
create table columns.none_left (a int);
insert into columns.none_left values (1), (2), (3);
alter table columns.none_left drop column a;
create table columns.empty (id serial primary key, t text not null);
\if :since_18
create table columns.virtual (a int, v int generated always as (a * 2) virtual);
insert into columns.virtual values (1), (2);
\endif
\if :since_14
create table columns.compressed (t text compression pglz);
insert into columns.compressed values (repeat('z', 100000));
\endif

-- Partitions, inheritance, unlogged, foreign.
create schema parts;
create table parts.events (id bigint, at date not null, kind text, payload jsonb, primary key (id, at, kind)) partition by range (at);
create table parts.events_2023 partition of parts.events for values from ('2023-01-01') to ('2024-01-01') partition by list (kind);
create table parts.events_2023_a partition of parts.events_2023 for values in ('a');
create table parts."events 2023 rest" partition of parts.events_2023 default;
create table parts.events_2024 (payload jsonb, kind text not null, id bigint not null, gone int, at date not null);
alter table parts.events_2024 drop column gone;
alter table parts.events attach partition parts.events_2024 for values from ('2024-01-01') to ('2025-01-01');
create table parts.events_other partition of parts.events default;
insert into parts.events select i, date '2022-06-01' + i, chr(97 + i % 3), jsonb_build_object('i', i) from generate_series(1, 1200) i;
create table parts.hashed (k int, v text) partition by hash (k);
create table parts.hashed_0 partition of parts.hashed for values with (modulus 2, remainder 0);
create table parts.hashed_1 partition of parts.hashed for values with (modulus 2, remainder 1);
insert into parts.hashed select i, 'v' || i from generate_series(1, 100) i;
create index on parts.events (kind) where id > 5;
create table parts.without_partitions (a int) partition by list (a);
create table parts.parent (a int, b text);
create table parts.child (c text, b text, a int) inherits (parts.parent);
create table parts.grandchild (d int) inherits (parts.child);
insert into parts.parent values (1, 'parent');
insert into parts.child values (2, 'child', 'c');
insert into parts.grandchild values (3, 'grandchild', 'c', 4);
create unlogged table parts.volatile (id serial, t text);
insert into parts.volatile (t) values ('kept all the same');
create server files foreign data wrapper file_fdw;
create foreign table parts.passwd (line text) server files options (filename '/etc/passwd', format 'text', delimiter E'\x01');
create server elsewhere foreign data wrapper postgres_fdw options (host 'nowhere.invalid', dbname 'x');
create user mapping for "zoo keeper" server elsewhere options (user 'u', password 'it''s');
create foreign table parts.remote (id int, t text) server elsewhere options (table_name 'r');

-- Rules of all kinds that a restore must neither break nor fire.
create schema rules;
create table rules.log (what text);
create table rules.guarded (id int primary key, t text, n int constraint positive check (n > 0), touched timestamptz default now());
create function rules.fired() returns trigger language plpgsql as $$begin insert into rules.log values (tg_name); new.t := new.t || ' changed by the trigger'; return new; end$$;
insert into rules.guarded select i, 'row ' || i, i from generate_series(1, 20) i;
create trigger fires before insert on rules.guarded for each row execute function rules.fired();
create trigger fires_always before insert on rules.guarded for each row execute function rules.fired();
alter table rules.guarded enable always trigger fires_always;
create trigger off after update on rules.guarded for each statement execute function rules.fired();
alter table rules.guarded disable trigger off;
create constraint trigger late after insert on rules.guarded deferrable initially deferred for each row execute function rules.fired();
create rule nothing as on insert to rules.log do instead nothing;
alter table rules.guarded add constraint not_yet check (n > 10) not valid;
create table rules.selfish (id int primary key, boss int references rules.selfish);
insert into rules.selfish select i, case when i > 1 then 51 - i end from generate_series(1, 50) i;
create table rules.hen (id int primary key, egg int not null);
create table rules.egg (id int primary key, hen int not null references rules.hen deferrable initially deferred);
begin;
insert into rules.hen values (1, 1);
insert into rules.egg values (1, 1);
commit;
alter table rules.hen add constraint "comes ""first""?" foreign key (egg) references rules.egg on delete cascade deferrable;
create table rules.orphans (id int, hen int);
insert into rules.orphans values (1, 999);
alter table rules.orphans add foreign key (hen) references rules.hen not valid;
create table rules.to_partitioned (id bigint, at date, kind text, foreign key (id, at, kind) references parts.events);
insert into rules.to_partitioned select id, at, kind from parts.events limit 10;
create table rules.booking (room int, during tsrange, exclude using gist (room with =, during with &&) where (room > 0));
insert into rules.booking values (1, '[2020-01-01,2020-01-02)'), (1, '[2020-01-02,2020-01-03)');
create unique index on rules.guarded (lower(t), (n + 1)) include (touched) where n is not null;
create index hashed on rules.guarded using hash (t);
create index brin on rules.guarded using brin (n);
alter table rules.guarded replica identity using index guarded_pkey, cluster on guarded_pkey;
create statistics rules.together (dependencies, ndistinct, mcv) on id, n from rules.guarded;
create table rules.secret (id int, owner name, t text);
insert into rules.secret values (1, 'nobody', 'hidden from all but its owner');
alter table rules.secret enable row level security, force row level security, owner to "zoo keeper";
create policy own on rules.secret as restrictive for select to "Zoo""Quote" using (owner = current_user);
create policy "write ""some""" on rules.secret for insert with check (id > 0);

-- Code.
create schema code;
create function code.price(n numeric, factor numeric default 1.19) returns numeric language sql immutable as $$select n * factor$$;
create function code.price(n int) returns int language plpgsql strict cost 7 set search_path to 'x', 'pg_catalog' as $body$
begin
  /* nothing of this is meant for psql:
SET transaction_timeout = 0;
*/return n /* $$ */ ;
end $body$;
create function code.rows_of() returns setof x."a.b" language sql stable as 'select * from x."a.b"';
create procedure code.doit(inout a int) language plpgsql as $$begin a := a + 1; commit; end$$;
\if :since_14
create function code.standard(a int) returns int begin atomic select a + count(*)::int from x."a.b"; end;
create procedure code.standard_proc() begin atomic insert into rules.log values ('x'); end;
\endif
create aggregate code.product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = '1');
create operator code.=== (leftarg = text, rightarg = text, function = texteq, commutator = operator(code.===));
create operator family code.fam using btree;
create function code.of_pair(types.pair) returns int language sql immutable as 'select $1.a';
create cast (types.pair as int) with function code.of_pair(types.pair) as assignment;
create collation code.numeric_order (provider = icu, locale = 'en-u-kn-true');
create table code.collated (t text collate code.numeric_order, d text collate "C");
insert into code.collated values ('a10', 'x'), ('a9', 'y');
create index on code.collated (t);
create text search dictionary code.stems (template = snowball, language = english, stopwords = english);
create text search configuration code.search (copy = pg_catalog.english);
alter text search configuration code.search alter mapping for asciiword with code.stems;
create view code.orders as select id, t, code.price(id) as price from x."a.b" with local check option;
create view code.chain as select o.*, n.t as name from code.orders o join "x.a".b n using (id);
create recursive view code.numbers (n) as values (1) union all select n + 1 from numbers where n < 10;
create view code.invoker with (security_barrier) as select * from rules.secret;
create rule into_orders as on insert to code.orders do instead insert into x."a.b" values (new.id, new.t);
-- Names that sort against their dependence; the first calls a function that needs the search path.
create materialized view code.z_first as select kind, count(*) as n, code.price(1) as p from parts.events group by kind;
create materialized view code.m_second as select sum(n) as total from code.z_first;
create materialized view code.a_third as select total + 1 as more from code.m_second with data;
create unique index on code.z_first (kind);
create materialized view code.unpopulated as select * from code.a_third with no data;
create function code.on_ddl() returns event_trigger language plpgsql as $$begin insert into rules.log select tg_tag; raise exception 'an event trigger fired: %', tg_tag; end$$;
create publication zoo_some for table x."a.b", parts.hashed_0 with (publish = 'insert, delete');
create publication "zoo all" for all tables;
\if :since_15
create publication zoo_schema for tables in schema types;
create publication zoo_rows for table rules.secret (id, owner) where (id > 5);
\endif

-- Sequences.
create schema "seq s";
create sequence "seq s".unused;
create sequence "seq s".started start 100;
select nextval('"seq s".started');
create sequence "seq s"."it's ""set"" \ not called" minvalue -5 start -5;
select setval('"seq s"."it''s ""set"" \ not called"', 3, false);
create sequence "seq s".cycled as smallint maxvalue 3 cycle cache 5;
select nextval('"seq s".cycled') from generate_series(1, 4);
create sequence "seq s".big as bigint start 9223372036854775807;
select nextval('"seq s".big');
create sequence "seq s".down increment -7 maxvalue 50 minvalue -9223372036854775808 start 50;
select nextval('"seq s".down') from generate_series(1, 3);
create sequence "seq s"."new
line";
select setval('"seq s"."new
line"', 11);
create table "seq s".owner (id int);
alter sequence "seq s".started owned by "seq s".owner.id;
\if :since_15
create unlogged sequence "seq s".unlogged;
select setval('"seq s".unlogged', 12);
\endif

-- Large objects.
select lo_create(424201);
select lo_from_bytea(424202, 'short');
select lo_put(424202, 3000000, '\x00ff');
select lo_from_bytea(424203, decode(repeat('00ff5c27', 262144), 'hex'));
comment on large object 424203 is E'it''s a \\ comment\nof two lines\t☃';
alter large object 424203 owner to "zoo keeper";
grant select on large object 424203 to zoo_reader, public;
grant select, update on large object 424203 to "Zoo""Quote" with grant option;
select lo_from_bytea(424204, 'owner may not');
alter large object 424204 owner to "zoo\slash";
revoke update on large object 424204 from "zoo\slash";
grant update on large object 424204 to "zoo keeper";
select lo_create(424205);
grant select on large object 424205 to "zoo\slash";
select lo_create(i) from generate_series(500000, 500250) i;

-- Privileges, comments, labels.
alter table x."a.b" owner to "zoo\slash";
alter schema "x.a" owner to "zoo keeper";
\if :since_15
-- Before, pg_dump itself takes the owner of this one for granted.
alter schema public owner to "Zoo""Quote";
\endif
grant usage on schema x, "x.a", types to zoo_reader;
grant select, insert on x."a.b" to zoo_reader with grant option;
grant select (id), update (t) on "x.a".b to "Zoo""Quote", public;
grant usage, update on sequence "seq s".big to zoo_reader;
revoke execute on function code.price(int) from public;
grant execute on function code.price(int) to "zoo keeper";
revoke all on x."A" from postgres;
grant usage on foreign server files to zoo_reader;
revoke usage on type types.mood from public;
alter default privileges in schema x grant select on tables to zoo_reader;
alter default privileges for role "zoo keeper" revoke execute on functions from public;
alter default privileges for role "zoo keeper" in schema "x.a" grant all on sequences to "Zoo""Quote";
comment on schema x is 'it''s "x" \';
comment on table x."a.b" is E'two\nlines\nSET transaction_timeout = 0;\n\\connect nowhere';
comment on column "x.a".b.t is '☃';
comment on constraint positive on rules.guarded is 'c';
comment on trigger fires on rules.guarded is 't';
comment on extension hstore is 'our own words';
comment on type types.mood is 'm';

-- The last, or the statements above would meet it.
create event trigger zoo_ddl on ddl_command_end when tag in ('CREATE TABLE') execute function code.on_ddl();
