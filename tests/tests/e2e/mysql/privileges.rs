//! Logins that may not see all: what they lack is named, and nothing is written.

use tests::{Env, MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, assert_same, backup, fresh, identified, run};
use crate::kit::{Directory, reason};

/// A login of a test's own that may do nothing yet.
fn login(server: &MySql) -> (String, Env) {
    let user = fresh("reader");
    let identified = identified(server);
    server.sql("", &format!("create user '{user}'@'%' {identified} 'pw'"));
    let env = Env::default()
        .with("DB_USERNAME", &user)
        .with("DB_PASSWORD", "pw");
    (format!("'{user}'@'%'"), env)
}

fn shop(server: &MySql) -> String {
    let database = server.create_database("seen");
    server.sql(
        &database,
        "create table t (n int primary key); insert into t values (1); create view v as select * from t; \
         create trigger tr before insert on t for each row set @x = 1; create event e on schedule every 1 year do select 1; \
         create procedure p() select 1",
    );
    database
}

fn what_is_missing_is_named(image: &'static str) {
    let server = world().mysql(image);
    let database = shop(server);
    let (account, credentials) = login(server);
    let store = Directory::new();
    let env = store.env().and(&credentials);
    let refused = |missing: &str| {
        let run = run(server, &database, "backup", env.clone()).ended(1);
        let (kind, message) = reason(&run);
        assert_eq!(kind, "denied", "{message}");
        let way_out = format!("GRANT {missing} ON `{database}`.* TO {account}");
        assert!(message.contains(&way_out), "{way_out}: {message}");
        assert_eq!(store.files(), [] as [String; 0]);
    };
    let grant = |rights: &str| {
        server.sql(
            "",
            &format!("grant {rights} on `{database}`.* to {account}"),
        );
    };
    grant("select");
    refused("SHOW VIEW, TRIGGER, EVENT, EXECUTE");
    grant("show view, event");
    refused("TRIGGER, EXECUTE");
    grant("trigger, execute");
    // What shows the text of a routine that is another's, differs.
    let routines = match server.engine() {
        "mysql" => "grant select on *.*",
        _ => "grant select on mysql.proc",
    };
    server.sql("", &format!("{routines} to {account}"));
    backup(server, &database, env.clone());
    let target = fresh("seen-restored");
    run(server, &target, "restore", store.env()).good();
    assert_same(&server.dump(&database, &[]), &server.dump(&target, &[]));
}

#[test]
fn what_a_login_may_not_see_is_named_and_nothing_is_written_on_mysql() {
    what_is_missing_is_named(MYSQL);
}

#[test]
fn what_a_login_may_not_see_is_named_and_nothing_is_written_on_mysql_9() {
    what_is_missing_is_named(MYSQL_9);
}

/// The server shows that the library is there, and not what is in it.
#[test]
fn a_library_that_a_login_may_not_read_is_named_and_nothing_is_written() {
    let server = world().mysql(MYSQL_9);
    let database = server.create_database("library");
    server.sql(&database, "create library l language javascript as 'x'");
    let (account, credentials) = login(server);
    server.sql(
        "",
        &format!("grant select, show view, trigger, event, execute on `{database}`.* to {account}"),
    );
    let store = Directory::new();
    let env = store.env().and(&credentials);
    let refused = run(server, &database, "backup", env.clone()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied", "{message}");
    assert!(
        message.contains("the library l") && message.contains("GRANT SHOW_ROUTINE"),
        "{message}"
    );
    assert_eq!(store.files(), [] as [String; 0]);
    server.sql("", &format!("grant show_routine on *.* to {account}"));
    backup(server, &database, env);
}

#[test]
fn what_a_login_may_not_see_is_named_and_nothing_is_written_on_mariadb() {
    what_is_missing_is_named(MARIADB);
}

#[test]
fn what_a_role_gives_counts() {
    for image in [MYSQL, MYSQL_9, MARIADB] {
        let server = world().mysql(image);
        let database = shop(server);
        let (account, credentials) = login(server);
        let role = fresh("role");
        let set = match server.engine() {
            "mysql" => format!("set default role '{role}' to {account}"),
            _ => format!("set default role '{role}' for {account}"),
        };
        server.sql(
            "",
            &format!(
                "create role '{role}'; grant select on *.* to '{role}'; grant show view, trigger, event, execute on `{database}`.* to '{role}'; \
                 grant '{role}' to {account}; {set}"
            ),
        );
        let store = Directory::new();
        backup(server, &database, store.env().and(&credentials));
    }
}
