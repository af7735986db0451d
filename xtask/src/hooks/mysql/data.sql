-- A shop with something of every kind that MySQL 5.7 and later and MariaDB 10.5 and later have in common, the same at
-- every run. Run by the stock client.
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00';

CREATE USER 'shop_app'@'%' IDENTIFIED BY 'app s3cret';
CREATE USER 'shop_reader'@'10.0.0.%' IDENTIFIED BY 'it''s "quoted"';
CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE DATABASE `Odd "name'` CHARACTER SET latin1 COLLATE latin1_german2_ci;
USE shop;

CREATE TABLE series (n int NOT NULL PRIMARY KEY);
INSERT INTO series VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
INSERT INTO series SELECT a.n + 10 * b.n + 100 * c.n FROM series a, series b, series c WHERE b.n + c.n > 0;

CREATE TABLE customers (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email varchar(100) NOT NULL,
  name varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'as they write it; it''s theirs',
  street varchar(100) CHARACTER SET latin1,
  plan enum('free', 'pro', 'd''or') DEFAULT 'free',
  likes set('red', 'green', 'blue'),
  balance decimal(12, 2) NOT NULL DEFAULT 0,
  token binary(16) NOT NULL,
  born date,
  seen timestamp(3) NULL DEFAULT NULL,
  initial char(1) GENERATED ALWAYS AS (left(name, 1)) VIRTUAL,
  UNIQUE KEY email (email),
  KEY initial (initial),
  KEY street (street(10))
) AUTO_INCREMENT = 5000;
INSERT INTO customers (id, email, name, street, plan, likes, balance, token, born, seen)
SELECT n, concat('user', n, '@example.com'), concat(elt(1 + n % 5, 'Zürich', 'Łódź', '東京', '😀 Å', 'O''Fallon \\N'), ' ', n),
  nullif(concat('Höhe ', n), 'Höhe 7'), elt(1 + n % 4, 'free', 'pro', 'd''or', NULL), n % 8, n * 1.37 - 99, unhex(left(sha2(n, 256), 32)),
  date_add('1940-01-01', INTERVAL n * 23 DAY), if(n % 3, date_add('2020-01-01', INTERVAL n * 7001 SECOND), NULL)
FROM series WHERE n < 400;

CREATE TABLE products (
  sku char(8) NOT NULL PRIMARY KEY,
  title varchar(80) NOT NULL,
  description mediumtext,
  price double NOT NULL,
  weight float,
  flags bit(12) NOT NULL,
  photo longblob,
  place point NOT NULL,
  taxed decimal(20, 4) GENERATED ALWAYS AS (round(price * 1.19, 4)) STORED,
  FULLTEXT KEY words (title, description),
  SPATIAL KEY place (place)
);
INSERT INTO products (sku, title, description, price, weight, flags, photo, place)
SELECT lpad(n, 8, 'P'), concat('Product ', n), if(n % 10, repeat(concat('A sentence about thing ', left(sha2(n, 256), 32), '.\n'), 1 + n % 12), NULL),
  n / 7, n / 3, n * 13 % 4096, unhex(repeat(left(sha2(n, 256), 32), n % 40)), point(n / 3, -n)
FROM series WHERE n < 150;

CREATE TABLE orders (
  id bigint NOT NULL,
  customer bigint unsigned NOT NULL,
  placed datetime(6) NOT NULL,
  delivery time(2),
  year year,
  note text,
  PRIMARY KEY (id),
  KEY placed (placed, customer),
  CONSTRAINT orders_customer FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE CASCADE
) COMMENT 'with a (comment), and more; than one';
INSERT INTO orders
SELECT n, n * 17 % 400, date_add('2022-01-01', INTERVAL n * 7013000001 MICROSECOND), sec_to_time(n * 61), 1999 + n % 30,
  if(n % 20, NULL, 'tab\there,\nline, \\ and \\N that is no null')
FROM series;

CREATE TABLE items (
  orders_id bigint NOT NULL,
  line smallint unsigned NOT NULL,
  sku char(8) NOT NULL,
  quantity tinyint NOT NULL,
  PRIMARY KEY (orders_id, line),
  CONSTRAINT items_order FOREIGN KEY (orders_id) REFERENCES orders (id),
  CONSTRAINT items_product FOREIGN KEY (sku) REFERENCES products (sku)
);
INSERT INTO items SELECT n, 1 + n % 3, lpad(n * 7 % 150, 8, 'P'), n % 9 FROM series;

CREATE TABLE documents (id int NOT NULL PRIMARY KEY, j json, n int GENERATED ALWAYS AS (json_extract(j, '$.n')) VIRTUAL, KEY n (n));
INSERT INTO documents (id, j)
SELECT n, json_object('n', n, 'tags', json_array('é 😀', NULL, n % 7, TRUE, n / 8e0), 'deep', json_object('x', 'tab\t "\\'))
FROM series WHERE n < 300;
INSERT INTO documents (id, j) VALUES (1000, NULL), (1001, 'null'), (1002, '[]');

CREATE TABLE days (
  id int NOT NULL, day date NOT NULL, what varchar(20), PRIMARY KEY (id, day)
) PARTITION BY RANGE (year(day)) (
  PARTITION old VALUES LESS THAN (2000), PARTITION mid VALUES LESS THAN (2020), PARTITION rest VALUES LESS THAN MAXVALUE
);
INSERT INTO days SELECT n, date_add('1970-01-01', INTERVAL n * 40 DAY), concat('day ', n) FROM series WHERE n < 600;

CREATE TABLE edges (
  id int NOT NULL PRIMARY KEY, tiny tinyint, big bigint, ubig bigint unsigned, n decimal(65, 30), d double, f float, b64 bit(64),
  zero date, invalid datetime, wide time(6), u16 varchar(20) CHARACTER SET utf16, vb varbinary(300), e char(10)
);
INSERT INTO edges VALUES
  (0, -128, -9223372036854775808, 18446744073709551615, -99999999999999999999999999999999999.999999999999999999999999999999,
   1.7976931348623157e308, 3.40282347e38, b'1111111111111111111111111111111111111111111111111111111111111111', '0000-00-00',
   '2024-02-30 12:00:00', '-838:59:59', '😀é', x'00095C0A0D1A27225C4EFF', 'pad  '),
  (1, 127, 9223372036854775807, 0, 0.000000000000000000000000000001, 2.2250738585072014e-308, 1.17549435e-38, b'0', '9999-12-31',
   '1000-01-01 00:00:00', '838:59:58.999999', '', x'', ''),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, 0, 0, 0, -0.0, 9007199254740993, 16777217, b'1011100', '2024-00-00', '0000-00-00 00:00:00', '00:00:00.000001', '\\N', x'5C4E', 'N');

CREATE TABLE no_key (a int, b varchar(10));
INSERT INTO no_key VALUES (1, 'twice'), (1, 'twice'), (NULL, NULL);
CREATE TABLE empty_one (id int NOT NULL PRIMARY KEY);
CREATE TABLE old_engine (id int NOT NULL PRIMARY KEY, v varchar(20), KEY v (v)) ENGINE = MyISAM;
INSERT INTO old_engine SELECT n, left(sha2(n, 256), 32) FROM series WHERE n < 50;
CREATE TABLE journal (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, what varchar(100));

CREATE VIEW z_view AS SELECT id, email, 'it''s `shop`.`x`' AS text FROM customers;
CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW a_view AS SELECT z_view.id FROM z_view WHERE z_view.id > 10 WITH CASCADED CHECK OPTION;
DELIMITER $$
CREATE FUNCTION double_it(x int) RETURNS int DETERMINISTIC COMMENT 'é; doubles'
BEGIN
  DECLARE s varchar(10) DEFAULT 'é;;';
  RETURN x * 2;
END$$
CREATE DEFINER = 'shop_app'@'%' PROCEDURE add_note(IN c varchar(20), OUT n int) MODIFIES SQL DATA
BEGIN -- a comment; here
  INSERT INTO journal (what) VALUES (c);
  SELECT count(*) INTO n FROM journal;
END$$
CREATE VIEW f_view AS SELECT double_it(21) AS answer, id FROM a_view$$
CREATE TRIGGER no_name BEFORE INSERT ON customers FOR EACH ROW
BEGIN
  IF NEW.name = '' THEN SET NEW.name = 'émpty'; END IF;
END$$
CREATE TRIGGER one AFTER INSERT ON orders FOR EACH ROW INSERT INTO journal (what) VALUES (concat('one ', NEW.id))$$
CREATE TRIGGER two AFTER INSERT ON orders FOR EACH ROW FOLLOWS one INSERT INTO journal (what) VALUES (concat('two ', NEW.id))$$
CREATE EVENT yearly ON SCHEDULE EVERY 1 YEAR STARTS '2035-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'é' DO DELETE FROM journal$$
SET SESSION sql_mode = 'ANSI_QUOTES'$$
CREATE PROCEDURE quoted() SELECT "id" FROM "customers" ORDER BY "id"$$
SET SESSION sql_mode = ''$$
DELIMITER ;
-- Both triggers have something to write.
INSERT INTO orders (id, customer, placed) VALUES (5000, 1, '2024-12-24 18:00:00');

USE `Odd "name'`;
CREATE TABLE `we``ird "name'.%` (`sel``ect` int NOT NULL PRIMARY KEY, `Ünï` varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci DEFAULT 'x''y', KEY `k``1` (`Ünï`));
INSERT INTO `we``ird "name'.%` SELECT n, 'Straße' FROM shop.series WHERE n < 20;

GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON shop.* TO 'shop_app'@'%';
GRANT SELECT (id), UPDATE (email) ON shop.customers TO 'shop_reader'@'10.0.0.%';
GRANT SELECT ON `Odd "name'`.* TO 'shop_reader'@'10.0.0.%' WITH GRANT OPTION;
