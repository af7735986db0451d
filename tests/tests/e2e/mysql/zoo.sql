-- Everything that a dump has got wrong somewhere: types at their edges, names that hurt, objects of every kind.
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00';
-- A foreign key to a column that is the second of an index: refused from 8.4 on, unless asked for.
/*!80400 SET SESSION restrict_fk_on_non_standard_key = OFF */;
CREATE TABLE numbers (
  id int NOT NULL PRIMARY KEY,
  t tinyint, tu tinyint unsigned, s smallint, m mediumint unsigned, i int(6) unsigned zerofill, b bigint, bu bigint unsigned,
  f float, fd float(7,2), d double, dd double(20,3), n decimal(65,30), bits bit(64), bit1 bit(1), bit9 bit(9), y year
);
INSERT INTO numbers VALUES
  (0, -128, 255, -32768, 16777215, 42, -9223372036854775808, 18446744073709551615, 1.17549435e-38, 12345.67, 2.2250738585072014e-308, 12345678901234567.125,
   -99999999999999999999999999999999999.999999999999999999999999999999, b'1111111111111111111111111111111111111111111111111111111111111111', b'1', b'101010101', 1901),
  (1, 127, 0, 32767, 0, 0, 9223372036854775807, 0, 3.40282347e38, -0.01, 1.7976931348623157e308, -0.001, 0.000000000000000000000000000001, b'0', b'0', b'000001001', 2155),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0.1, b'1011100', b'0', b'1010', 0),
  (4, 1, 1, 1, 1, 1, 1, 1, 16777217, 16777.21, 9007199254740993, 1e15, 1, b'100100101110000000000', b'1', b'1001', 1970),
  (5, 1, 1, 1, 1, 1, 1, 1, -1.2345678e-7, 0, -0.0, 0, -0.0, x'0009000A5C000D1A', NULL, NULL, NULL);
CREATE TABLE moments (
  id int NOT NULL PRIMARY KEY, d date, t time(6), dt datetime(6), dt0 datetime, ts timestamp(3) NULL, ts0 timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
);
INSERT INTO moments VALUES
  (1, '0000-00-00', '-838:59:59.000000', '0000-00-00 00:00:00.000000', '0000-00-00 00:00:00', '1970-01-01 00:00:01.000', '0000-00-00 00:00:00'),
  (2, '9999-12-31', '838:59:58.999999', '9999-12-31 23:59:59.999999', '2024-02-30 12:00:00', '2038-01-19 03:14:07.999', '2024-03-31 02:30:00'),
  (3, '2024-00-00', '00:00:00.000001', '1000-01-01 00:00:00.000001', '2024-00-10 00:00:00', NULL, NULL);
CREATE TABLE texts (
  id int NOT NULL PRIMARY KEY, u varchar(100) CHARACTER SET utf8mb4, l varchar(100) CHARACTER SET latin1, g varchar(100) CHARACTER SET gbk,
  u16 varchar(100) CHARACTER SET utf16, c char(10), e enum('a','b,c','d''e','é'), st set('x','y','z'), lt longtext, tt tinytext COLLATE utf8mb4_bin
) DEFAULT CHARACTER SET utf8mb4;
INSERT INTO texts VALUES
  (1, 'plain', 'plain', 'plain', 'plain', 'pad  ', 'a', 'x,y', 'long', 'T'),
  (2, '😀 tab\t nl\n cr\r bs\\ nul\0 q''" z\Z', _latin1 x'E9FF80', _gbk x'D5555C5C', '😀é', '', 'é', '', '\\N', '\\'),
  (3, '\\N', 'N', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, '', '', '', '', '  x', 'd''e', 'z', repeat('long\t\\\n', 100000), 'a\tb');
INSERT INTO texts (id, e) VALUES (5, '');
CREATE TABLE binaries (id int NOT NULL PRIMARY KEY, b binary(8), vb varbinary(300), bl longblob, tb tinyblob);
INSERT INTO binaries VALUES (1, x'00', x'', x'0A0D09005C27221A', NULL), (2, x'FFFEFDFCFBFAF9F8', x'5C4E', repeat(x'00FF0A5C09', 60000), x'4E');
CREATE TABLE shapes (id int NOT NULL PRIMARY KEY, g geometry, p point NOT NULL, SPATIAL KEY sp (p)) ENGINE=InnoDB;
INSERT INTO shapes VALUES (1, ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 0),(1 1,2 1,2 2,1 1))'), ST_GeomFromText('POINT(1.1 -2.2)')),
  (2, NULL, ST_GeomFromText('POINT(9.999999999999999 10)', 4326)), (3, ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))'), ST_GeomFromText('POINT(92 10)'));
CREATE TABLE documents (id int NOT NULL PRIMARY KEY, j json, n varchar(20) GENERATED ALWAYS AS (json_unquote(json_extract(j, '$.n'))) VIRTUAL, st int GENERATED ALWAYS AS (id * 2) STORED, KEY kn (n));
INSERT INTO documents (id, j) VALUES (1, '{"n": "é\\n\\t\\\\ 😀", "a": [1, 2.5, null, true], "big": 12345678901234567890}'), (2, 'null'), (3, NULL), (4, '"\\u0000\\"x"'), (5, '[]');
CREATE TABLE parents (id bigint unsigned NOT NULL AUTO_INCREMENT, code varchar(20) NOT NULL, PRIMARY KEY (id), UNIQUE KEY code (code)) AUTO_INCREMENT = 1000;
INSERT INTO parents VALUES (0, 'zero'), (7, 'seven'), (999, 'odd;''`"');
CREATE TABLE children (
  tenant int NOT NULL, n int NOT NULL AUTO_INCREMENT, parent bigint unsigned, self int, PRIMARY KEY (tenant, n), KEY auto (n), KEY par (parent), FULLTEXT KEY ft (note),
  note text, CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE ON UPDATE SET NULL, KEY selfk (self), CONSTRAINT fk_self FOREIGN KEY (self) REFERENCES children (n)
) COMMENT='it''s a (comment), with; things';
INSERT INTO children (tenant, n, parent, self, note) VALUES (1, 1, 7, NULL, 'one'), (1, 2, 7, 1, 'two'), (2, 3, NULL, 2, 'three');
CREATE TABLE `we``ird "name'.%` (`select` int, `a``b` varchar(5) DEFAULT 'x''y' COMMENT 'KEY (`a`), PRIMARY', `sp ace` int, KEY `k``1` (`a``b`, `sp ace`));
INSERT INTO `we``ird "name'.%` VALUES (1, 'a', 2), (1, 'a', 2), (NULL, NULL, NULL);
CREATE TABLE empty_one (id int PRIMARY KEY);
CREATE TABLE `Ünïcode` (`é` int PRIMARY KEY, `日本` varchar(10));
INSERT INTO `Ünïcode` VALUES (1, '日本語');
CREATE TABLE old_engine (id int PRIMARY KEY, v varchar(10), KEY v (v)) ENGINE=MyISAM;
INSERT INTO old_engine VALUES (1, 'a'), (2, 'b');
CREATE TABLE parted (id int NOT NULL, d date NOT NULL, v varchar(10), PRIMARY KEY (id, d)) PARTITION BY RANGE (year(d)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN (2025), PARTITION pm VALUES LESS THAN MAXVALUE);
INSERT INTO parted VALUES (1, '2019-01-01', 'a'), (2, '2024-06-01', 'b'), (3, '2030-01-01', 'c');
CREATE TABLE spread (id bigint NOT NULL PRIMARY KEY, k varchar(40) NOT NULL, pad varchar(255), UNIQUE KEY k (k));
CREATE TABLE uuids (u varchar(36) CHARACTER SET latin1 NOT NULL PRIMARY KEY, pad varchar(255));
CREATE TABLE log_of_triggers (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, what varchar(100));
CREATE VIEW z_view AS SELECT id, code, 'it''s `zoo`.`x`' AS t FROM parents;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW a_view AS SELECT z_view.id, z_view.code FROM z_view WHERE z_view.id > 0 WITH CASCADED CHECK OPTION;
DELIMITER $$
CREATE FUNCTION double_it(x int) RETURNS int DETERMINISTIC COMMENT 'é; doubles' BEGIN DECLARE s varchar(10) DEFAULT 'é;;'; RETURN x * 2; END$$
CREATE VIEW f_view AS SELECT double_it(7) AS fourteen, b.code FROM a_view b$$
CREATE PROCEDURE add_parent(IN c varchar(20), OUT n int) MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN -- a comment; here
  INSERT INTO parents (code) VALUES (c); SELECT count(*) INTO n FROM parents; END$$
SET SESSION sql_mode = 'ANSI_QUOTES'$$
CREATE PROCEDURE quoted() SELECT "id" FROM "parents" ORDER BY "id"$$
SET SESSION sql_mode = ''$$
CREATE TRIGGER first_trigger BEFORE INSERT ON parents FOR EACH ROW BEGIN IF NEW.code = '' THEN SET NEW.code = 'émpty'; END IF; END$$
CREATE TRIGGER second_trigger AFTER INSERT ON parents FOR EACH ROW INSERT INTO log_of_triggers (what) VALUES (concat('second ', NEW.code))$$
CREATE TRIGGER third_trigger AFTER INSERT ON parents FOR EACH ROW FOLLOWS second_trigger INSERT INTO log_of_triggers (what) VALUES (concat('third ', NEW.code))$$
CREATE EVENT yearly ON SCHEDULE EVERY 1 YEAR STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'é' DO DELETE FROM log_of_triggers$$
DELIMITER ;
