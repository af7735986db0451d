-- One big table of ordinary rows, about 400 bytes each as text; @rows of them. Runs on any version of either family.
set session unique_checks = 0, sql_mode = '';
create table big (
    id          bigint not null primary key,
    account     char(36) not null,
    created_at  datetime(6) not null,
    amount      decimal(12, 2) not null,
    quantity    int not null,
    status      smallint not null,
    name        varchar(60) not null,
    note        text,
    payload     json not null
) default charset = utf8mb4;
create table digit (d int not null primary key);
insert into digit values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
create table thousand (d int not null primary key);
insert into thousand select a.d * 100 + b.d * 10 + c.d from digit a, digit b, digit c;
insert into big
select n, insert(insert(insert(insert(md5(n % 500000), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
       timestamp('2023-01-01 00:00:00') + interval n * 3 second,
       round(rand(n) * 100000, 2), floor(rand(n + 1) * 1000), n % 7,
       concat(elt(1 + n % 7, 'Anna', 'Björn', 'Chloé', 'Dmitri', 'Emily', 'Fatima', 'George'), ' ', left(md5(rand(n + 2)), 10)),
       if(n % 3 > 0, concat('Delivered to the neighbour on floor ', n % 40, '; signature ', md5(rand(n + 3)),
                            '; the parcel was ', elt(1 + n % 4, 'intact', 'opened', 'wet', 'late')), null),
       json_object('session', md5(rand(n + 4)), 'path', concat('/shop/item/', n % 20000),
                   'agent', concat('Mozilla/5.0 (X11; Linux x86_64) Gecko/', 100 + n % 30), 'score', round(rand(n + 5), 6))
from (select a.d * 1000000 + b.d * 1000 + c.d + 1 as n from thousand a, thousand b, thousand c
      where a.d <= @rows div 1000000 and a.d * 1000000 + b.d * 1000 + c.d < @rows) numbers;
drop table digit, thousand;
create index big_account on big (account);
analyze table big;
