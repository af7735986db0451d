-- What MySQL learned after 8.0.15.
SET NAMES utf8mb4;
SET SESSION restrict_fk_on_non_standard_key = OFF;
CREATE TABLE vectors (id int PRIMARY KEY, v vector(3), w vector NOT NULL DEFAULT (TO_VECTOR('[1,2]')));
INSERT INTO vectors VALUES (1, TO_VECTOR('[1.5,-2.25,3e-38]'), TO_VECTOR('[0,9]')), (2, NULL, TO_VECTOR('[1]'));
INSERT INTO vectors (id, v) VALUES (3, STRING_TO_VECTOR('[3.4028235e38,0,-0]'));
CREATE TABLE hidden (id int PRIMARY KEY, secret varchar(10) INVISIBLE DEFAULT 'x', e varchar(40) DEFAULT (uuid()), f int GENERATED ALWAYS AS (id + 1) INVISIBLE);
INSERT INTO hidden (id, secret) VALUES (1, 's'), (2, 't');
CREATE TABLE indexed (
  id int PRIMARY KEY, s varchar(50), j json, KEY fn ((lower(s))), KEY down (s DESC, id), KEY unseen (s) INVISIBLE,
  KEY many ((cast(j->'$.a' AS unsigned array))), CONSTRAINT positive CHECK (id > 0), CONSTRAINT small CHECK (id < 10) NOT ENFORCED
);
INSERT INTO indexed VALUES (1, 'AbC', '{"a":[1,2,3]}'), (20, NULL, '{"a":[]}');
CREATE TABLE placed (id int PRIMARY KEY, p point SRID 4326 NOT NULL, SPATIAL KEY (p));
INSERT INTO placed VALUES (1, ST_GeomFromText('POINT(1 2)', 4326));
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE keyed (a int, b varchar(10));
INSERT INTO keyed VALUES (1, 'a'), (2, 'b'), (2, 'b');
SET SESSION sql_generate_invisible_primary_key = OFF;
CREATE TABLE not_unique (id int PRIMARY KEY, k int, KEY k (k));
CREATE TABLE loose (id int PRIMARY KEY, k int, FOREIGN KEY (k) REFERENCES not_unique (k));
INSERT INTO not_unique VALUES (1, 5), (2, 5);
INSERT INTO loose VALUES (1, 5);
CREATE TABLE roomy (id int AUTO_INCREMENT PRIMARY KEY, v int) AUTOEXTEND_SIZE=4M;
CREATE TABLE subparted (id int NOT NULL, d datetime(3) NOT NULL, PRIMARY KEY (id, d))
  PARTITION BY RANGE COLUMNS (d) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN ('2024-01-01'), PARTITION p1 VALUES LESS THAN (MAXVALUE));
INSERT INTO subparted VALUES (1, '2023-01-01 00:00:00.123'), (2, '2025-01-01');
CREATE VIEW counted AS WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, row_number() OVER w AS r FROM t WINDOW w AS (ORDER BY n);
CREATE VIEW `values` AS VALUES ROW(1, 2), ROW(3, 4);
CREATE VIEW shared AS (SELECT 1 AS a) INTERSECT (SELECT 1);
CREATE JSON DUALITY VIEW document AS SELECT JSON_DUALITY_OBJECT('_id': id, 'k': k) FROM not_unique;
DELIMITER //
CREATE LIBRARY one COMMENT 'it''s; one' LANGUAGE JAVASCRIPT AS $$ export function f(n) { return n } $$//
CREATE LIBRARY `two's` LANGUAGE JAVASCRIPT AS $it$ /* don't; $$ " */ export function f(n) { return `é${n}` } $it$//
CREATE FUNCTION imports(s varchar(10)) RETURNS varchar(20) DETERMINISTIC LANGUAGE JAVASCRIPT USING (`two's` AS t) AS $$
  // it's; "one
  return t.f(s) $$//
DELIMITER ;
