-- A line for each thing that a restore must bring back, beside the schema: counts and sums of every byte, in no order.
\set ON_ERROR_STOP 1
set search_path = '';
set datestyle = 'ISO'; set intervalstyle = 'postgres'; set extra_float_digits = 3; set bytea_output = 'hex';
set timezone = 'UTC'; set lc_monetary = 'C'; set row_security = off; set statement_timeout = 0;
select format('select ''rows'', %L, count(*), md5(coalesce(string_agg(md5(t::text), '''' order by md5(t::text)), '''')) from only %s t',
              c.oid::regclass, c.oid::regclass)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and c.relispopulated and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by c.oid::regclass::text collate "C" \gexec
select 'not populated', c.oid::regclass from pg_catalog.pg_class c where not relispopulated order by 2;
select format('select ''sequence'', %L, last_value, is_called from %s', c.oid::regclass, c.oid::regclass)
from pg_catalog.pg_class c where c.relkind = 'S' order by c.oid::regclass::text collate "C" \gexec
select 'large object', m.oid, pg_catalog.pg_get_userbyid(lomowner), md5(lo_get(m.oid)), length(lo_get(m.oid)),
       (select string_agg(a.grantee::regrole::text || ' ' || a.privilege_type || ' ' || a.is_grantable, ', '
                          order by a.grantee::regrole::text collate "C", a.privilege_type)
        from pg_catalog.aclexplode(m.lomacl) a),
       (select description from pg_catalog.pg_description where classoid = 'pg_catalog.pg_largeobject'::regclass and objoid = m.oid)
from pg_catalog.pg_largeobject_metadata m order by m.oid;
select 'database', pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
       pg_catalog.shobj_description(d.oid, 'pg_database'), to_jsonb(d) ->> 'datlocprovider',
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
       (select string_agg(a.grantee::regrole::text || ' ' || a.privilege_type || ' ' || a.is_grantable, ', '
                          order by a.grantee::regrole::text collate "C", a.privilege_type) from pg_catalog.aclexplode(d.datacl) a)
from pg_catalog.pg_database d where datname = current_database();
select 'setting', setrole::regrole, s from pg_catalog.pg_db_role_setting r, unnest(setconfig) s
where setdatabase = (select oid from pg_catalog.pg_database where datname = current_database()) order by 2, s;
