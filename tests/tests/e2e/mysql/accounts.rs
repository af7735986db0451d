//! Accounts and what they may do, which a backup of all databases holds.

use tests::{Env, MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, run};
use crate::kit::{Directory, reason};

const OBJECTS: &str = "create database shop; create table shop.t (id int primary key, v text); insert into shop.t values (1, 'a'); \
    create procedure shop.p() select 1; create role r1; grant select, show view on shop.* to r1;";
const GRANTS: &str = "create definer=`odd'one`@`10.%` view shop.v as select 1 as n; \
    grant select (id), insert on shop.t to 'app'@'%'; grant execute on procedure shop.p to 'app'@'%'; \
    grant reload on *.* to 'app'@'%' with grant option; grant all on `sh\\_p%`.* to 'odd''one'@'10.%'; \
    grant 'r1' to 'app'@'%' with admin option; grant 'r1' to 'odd''one'@'10.%';";

/// What the server says of an account, roles included.
fn told(server: &MySql, account: &str) -> Vec<String> {
    let create = server.sql("", &format!("show create user {account}"));
    let grants = server.sql("", &format!("show grants for {account}"));
    let mut lines: Vec<String> = grants.lines().map(str::to_owned).collect();
    lines.sort();
    lines.push(create);
    lines
}

fn accounts_come_back(image: &'static str, users: &str) {
    let (source, target) = (world().own_mysql(image, &[]), world().own_mysql(image, &[]));
    source.sql("", &format!("{OBJECTS}{users}{GRANTS}"));
    // One that is there already, and another password of its own.
    source.sql(
        "",
        "create user 'mine'@'%' identified by 'old'; grant all on shop.* to 'mine'@'%'",
    );
    target.sql("", "create user 'mine'@'%' identified by 'new'");
    let mine = told(&target, "'mine'@'%'");
    let store = Directory::new();
    let ran = backup(&source, "*", store.env());
    assert!(!ran.stderr.contains("IDENTIFIED"), "no hash is logged");
    let restored = run(&target, "*", "restore", store.env()).good();
    assert!(
        restored.stderr.contains("3 accounts are created"),
        "{}",
        restored.stderr
    );
    for account in ["'app'@'%'", "'odd''one'@'10.%'"] {
        assert_eq!(told(&source, account), told(&target, account));
    }
    assert_eq!(target.sql("shop", "select * from v"), "1");
    assert_eq!(
        told(&target, "'mine'@'%'"),
        mine,
        "what was there stays as it was"
    );
    // The password is the old one: the login is taken, and told what it may not see.
    let login = Env::default()
        .with("DB_USERNAME", "app")
        .with("DB_PASSWORD", "pw 1");
    let denied = run(
        &target,
        "shop",
        "backup",
        Directory::new().env().and(&login),
    )
    .ended(1);
    let (_, message) = reason(&denied);
    assert!(message.contains("may not see all of"), "{message}");
    // Of one database, accounts are no part.
    target.sql("", "drop user 'app'@'%'");
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(&target, "shop", "restore", env).good();
    let users = "select count(*) from mysql.user where user = 'app'";
    assert_eq!(target.sql("", users), "0");
}

#[test]
fn accounts_come_back_on_mysql() {
    let users = "create user 'app'@'%' identified with caching_sha2_password by 'pw 1' with max_queries_per_hour 5000 password expire interval 90 day; \
        create user 'odd''one'@'10.%' identified with mysql_native_password by 'pw2' default role r1;";
    accounts_come_back(MYSQL, users);
}

#[test]
fn accounts_come_back_on_mysql_9() {
    let users = "create user 'app'@'%' identified with caching_sha2_password by 'pw 1' require ssl with max_queries_per_hour 5000 \
          password expire interval 90 day password history 5 password reuse interval 30 day password require current \
          failed_login_attempts 3 password_lock_time 2 comment 'it''s; \"his\"'; \
        create user 'odd''one'@'10.%' identified with caching_sha2_password by 'pw2' default role r1 account lock; \
        grant backup_admin, show_routine, set_any_definer on *.* to 'app'@'%' with grant option;";
    accounts_come_back(MYSQL_9, users);
}

#[test]
fn accounts_come_back_on_mariadb() {
    let users = "create user 'app'@'%' identified by 'pw 1' with max_queries_per_hour 5000; \
        create user 'odd''one'@'10.%' identified via mysql_native_password using password('pw2') or unix_socket;";
    accounts_come_back(MARIADB, users);
}
