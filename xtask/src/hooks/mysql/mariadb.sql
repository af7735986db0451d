-- What only MariaDB has.
USE shop;
CREATE SEQUENCE invoice START WITH 10001 INCREMENT BY 7 MINVALUE 10 MAXVALUE 1000000 CACHE 3 CYCLE;
DO NEXTVAL(invoice);
CREATE TABLE only_here (id int NOT NULL PRIMARY KEY, n bigint DEFAULT nextval(invoice), address inet6, hidden int INVISIBLE DEFAULT 7, CHECK (id > 0));
INSERT INTO only_here (id, address) VALUES (1, '::ffff:1.2.3.4'), (2, NULL);
INSERT INTO only_here (id, hidden) VALUES (3, 9);
CREATE TABLE aria_table (id int NOT NULL PRIMARY KEY, v varchar(10)) ENGINE = Aria;
INSERT INTO aria_table VALUES (1, 'x');
CREATE ROLE shop_people;
GRANT SELECT ON shop.* TO shop_people;
GRANT shop_people TO 'shop_app'@'%';
SET SESSION sql_mode = 'ORACLE';
DELIMITER $$
CREATE PACKAGE pack AS FUNCTION one RETURN int; END$$
CREATE PACKAGE BODY pack AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END$$
DELIMITER ;
