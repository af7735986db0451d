-- A line for each thing that holds data: what, name, count, and a sum that depends on every byte and on no order.
select format(
    'select ''table'', %L, count(*), md5(coalesce(string_agg(md5(t::text), '''' order by md5(t::text)), '''')) from only %s t',
    c.oid::regclass, c.oid::regclass)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname not like 'pg\_temp%'
order by c.oid::regclass::text \gexec

select format('select ''sequence'', %L, last_value, is_called from %s', c.oid::regclass, c.oid::regclass)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and n.nspname not in ('pg_catalog', 'information_schema')
order by c.oid::regclass::text \gexec

select 'large object', oid, length(lo_get(oid)), md5(lo_get(oid)) from pg_largeobject_metadata order by oid;

select 'index', indexrelid::regclass, indisvalid, pg_get_indexdef(indexrelid)
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by indexrelid::regclass::text;

select 'constraint', r.conrelid::regclass, conname, convalidated, pg_get_constraintdef(r.oid)
from pg_constraint r
join pg_namespace n on n.oid = r.connamespace
where n.nspname not in ('pg_catalog', 'information_schema')
order by r.conrelid::regclass::text, conname;
