-- What to ask a server so that every row and every definition is seen: a kind and a statement in each line.
SET NAMES utf8mb4;

SELECT 'database', concat('SHOW CREATE DATABASE `', schema_name, '`')
FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema');

-- MySQL 5.7's checksum of JSON is another one each time.
SELECT kind, replace(replace(statement, '@name', concat('`', table_schema, '`.`', replace(table_name, '`', '``'), '`')), '@text', quote(concat(table_schema, '.', table_name)))
FROM information_schema.tables,
  (SELECT 'BASE TABLE' AS what, 'table' AS kind, 'SELECT @text, count(*) FROM @name' AS statement
   UNION ALL SELECT 'BASE TABLE', 'checksum', 'CHECKSUM TABLE @name'
   UNION ALL SELECT 'BASE TABLE', 'definition', 'SHOW CREATE TABLE @name'
   UNION ALL SELECT 'BASE TABLE', 'row', 'SELECT @text, t.* FROM @name t'
   UNION ALL SELECT 'VIEW', 'view', 'SHOW CREATE VIEW @name'
   UNION ALL SELECT 'VIEW', 'seen', 'SELECT @text, t.* FROM @name t'
   UNION ALL SELECT 'SEQUENCE', 'sequence', 'SHOW CREATE SEQUENCE @name'
   UNION ALL SELECT 'SEQUENCE', 'value', 'SELECT @text, next_not_cached_value, cycle_count FROM @name') statements
WHERE table_type = what AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
  AND NOT (kind = 'checksum' AND (table_schema, table_name) IN (SELECT table_schema, table_name FROM information_schema.columns WHERE data_type = 'json'));

SELECT 'routine', concat('SHOW CREATE ', routine_type, ' `', routine_schema, '`.`', routine_name, '`')
FROM information_schema.routines WHERE routine_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema');

SELECT 'event', concat('SHOW CREATE EVENT `', event_schema, '`.`', event_name, '`') FROM information_schema.events;

-- SHOW CREATE TRIGGER tells when it was made.
SELECT 'trigger', 'SELECT trigger_schema, trigger_name, event_object_table, action_timing, event_manipulation, action_order, action_statement, sql_mode, definer, character_set_client, collation_connection, database_collation FROM information_schema.triggers WHERE trigger_schema <> ''sys''';

SELECT 'index', 'SELECT table_schema, table_name, index_name, seq_in_index, column_name, sub_part, non_unique, index_type FROM information_schema.statistics WHERE table_schema NOT IN (''mysql'', ''sys'')';

SELECT 'constraint', 'SELECT constraint_schema, table_name, constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_schema NOT IN (''mysql'', ''sys'')';

SELECT 'account', 'SELECT user, host, plugin, hex(authentication_string) FROM mysql.user WHERE user LIKE ''shop\\_%''';

SELECT 'grant', concat('SHOW GRANTS FOR ', quote(user), if(host = '', '', concat('@', quote(host)))) FROM mysql.user WHERE user LIKE 'shop\\_%';
