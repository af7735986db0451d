-- What only MariaDB has.
SET SESSION sql_mode = '';
CREATE SEQUENCE counter START WITH 100 INCREMENT BY 5 MINVALUE 10 MAXVALUE 1000 CACHE 3 CYCLE;
DO NEXTVAL(counter);
CREATE TABLE only_here (id int NOT NULL PRIMARY KEY, n bigint DEFAULT nextval(counter), i6 inet6, hidden int INVISIBLE DEFAULT 7, c varchar(20) DEFAULT concat('a', 'b'), CHECK (id > 0));
INSERT INTO only_here (id, i6) VALUES (1, '::ffff:1.2.3.4'), (2, '2001:db8::1'), (3, NULL);
INSERT INTO only_here (id, hidden, i6) VALUES (4, 9, '::');
CREATE TABLE aria_table (id int PRIMARY KEY, v varchar(10)) ENGINE=Aria;
INSERT INTO aria_table VALUES (1, 'x');
SET SESSION sql_mode = 'ORACLE';
DELIMITER $$
CREATE OR REPLACE PACKAGE pack AS FUNCTION one RETURN int; END$$
CREATE OR REPLACE PACKAGE BODY pack AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END$$
DELIMITER ;
