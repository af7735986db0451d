//! Logging in: every plugin, with and without TLS; and who is refused.

use tests::{Certificates, Env, Launch, MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, run};
use crate::kit::{Directory, reason};
use crate::secure::Secure;

const PASSWORD: &str = "pä ss'\"\\`;-- %";

fn account(server: &MySql, plugin: &str, clause: &str) -> (String, Env) {
    let database = server.create_database(plugin);
    server.sql(
        &database,
        "create table t (a int); insert into t values (1)",
    );
    let user = database.replace('-', "_");
    let clause = clause.replace(
        "PASSWORD",
        &PASSWORD.replace('\\', "\\\\").replace('\'', "\\'"),
    );
    server.sql("", &format!("create user {user}@'%' identified {clause}; grant select, show view, trigger, event, execute, lock tables on `{database}`.* to {user}@'%'"));
    let env = Env::default()
        .with("DB_USERNAME", &user)
        .with("DB_PASSWORD", PASSWORD);
    (database, env)
}

fn logs_in(server: &MySql, plugin: &str, clause: &str, tls: &str) {
    let (database, login) = account(server, plugin, clause);
    let store = Directory::new();
    let env = store.env().and(login).with("DB_TLS_MODE", tls);
    backup(server, &database, env.clone());
    let wrong = env.with("DB_PASSWORD", "wrong").with("BACKUP_PATH", "c");
    let refused = run(server, &database, "backup", wrong).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    assert!(
        message.contains("check DB_USERNAME and DB_PASSWORD"),
        "{message}"
    );
}

#[test]
fn mysql_native_password_logs_in() {
    logs_in(
        world().mysql("mysql:5.7"),
        "native",
        "with mysql_native_password by 'PASSWORD'",
        "prefer",
    );
    logs_in(world().mysql(MARIADB), "native", "by 'PASSWORD'", "require");
}

#[test]
fn caching_sha2_password_logs_in_without_tls_by_the_servers_key() {
    for image in [MYSQL, MYSQL_9] {
        logs_in(
            world().mysql(image),
            "caching",
            "with caching_sha2_password by 'PASSWORD'",
            "disable",
        );
    }
}

#[test]
fn caching_sha2_password_logs_in_with_tls() {
    logs_in(
        world().mysql(MYSQL_9),
        "caching-tls",
        "with caching_sha2_password by 'PASSWORD' require ssl",
        "require",
    );
}

#[test]
fn sha256_password_logs_in_without_tls_by_the_servers_key() {
    logs_in(
        world().mysql(MYSQL),
        "sha256",
        "with sha256_password by 'PASSWORD'",
        "disable",
    );
}

#[test]
fn ed25519_logs_in() {
    let server = world().mysql(MARIADB);
    server.sql("", "install soname 'auth_ed25519'");
    logs_in(
        server,
        "ed25519",
        "via ed25519 using password('PASSWORD')",
        "disable",
    );
}

#[test]
fn tls_that_is_insisted_on_and_not_there_is_refused() {
    let server = world().mysql("mariadb:10.11");
    let database = server.create_database("tls");
    let store = Directory::new();
    let refused = run(
        server,
        &database,
        "backup",
        store.env().with("DB_TLS_MODE", "require"),
    )
    .ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    assert!(message.contains("does not speak TLS"), "{message}");
}

#[test]
fn a_certificate_of_nobody_known_is_refused_where_it_is_checked() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("ca");
    let store = Directory::new();
    let refused = run(
        server,
        &database,
        "backup",
        store.env().with("DB_TLS_MODE", "verify-full"),
    )
    .ended(1);
    assert_eq!(reason(&refused).0, "denied");
}

fn tls_is_spoken_as_its_mode_says(image: &'static str) {
    let certificates = Certificates::new();
    let args = [
        "--ssl-ca=/tls/ca.pem",
        "--ssl-cert=/tls/server.pem",
        "--ssl-key=/tls/server-key.pem",
    ];
    let launch = Launch::from(&args).after(&certificates.prologue("/var/lib/mysql"));
    let server = world().own_mysql(image, launch);
    let (host, port) = server
        .inner_address()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    let secure = Secure {
        certificates,
        near: Env::default(),
        far: Env::default().with("DB_HOST", host).with("DB_PORT", port),
    };
    let store = Directory::new();
    let (database, encrypted) = account(&server, "encrypted", "by 'PASSWORD' require ssl");
    let encrypted = store.env().and(encrypted);
    secure.is_checked(|env| run(&server, &database, "backup", encrypted.clone().and(env)));
    let plain = encrypted.with("DB_TLS_MODE", "disable");
    let refused = run(&server, &database, "backup", plain).ended(1);
    assert_eq!(reason(&refused).0, "denied");
    let subject = format!(
        "by 'PASSWORD' require subject '/CN={}'",
        Certificates::CLIENT
    );
    let (database, login) = account(&server, "certified", &subject);
    let login = store.env().and(login);
    backup(&server, &database, login.clone().and(secure.certified()));
    secure.is_certified(|env| run(&server, &database, "backup", login.clone().and(env)));
}

#[test]
fn tls_is_spoken_as_its_mode_says_with_mysql() {
    tls_is_spoken_as_its_mode_says(MYSQL_9);
}

#[test]
fn tls_is_spoken_as_its_mode_says_with_mariadb() {
    tls_is_spoken_as_its_mode_says(MARIADB);
}

fn a_socket_is_as_good_as_a_port(image: &'static str) {
    let sockets = tempfile::tempdir().unwrap();
    let launch = Launch::from(&["--socket=/sockets/mysqld.sock"]).with_sockets(sockets.path());
    let server = world().own_mysql(image, launch);
    let database = server.create_database("socket");
    server.sql(
        &database,
        "create table t (a int); insert into t values (1)",
    );
    let store = Directory::new();
    // Root is another one by a socket.
    server.sql(
        "",
        &format!(
            "create user local@localhost {} 'pw'; grant all on *.* to local@localhost",
            super::identified(&server)
        ),
    );
    let local = store
        .env()
        .with("DB_USERNAME", "local")
        .with("DB_PASSWORD", "pw");
    for host in [
        sockets.path().to_owned(),
        sockets.path().join("mysqld.sock"),
    ] {
        let env = local.clone().with("DB_HOST", host.to_str().unwrap());
        let env = env.with("BACKUP_PATH", world().unique("b"));
        backup(&server, &database, env.clone());
        let restored = world().unique("by-socket");
        run(&server, &restored, "restore", env).good();
        assert_eq!(server.sql(&restored, "select * from t"), "1");
    }
}

#[test]
fn a_socket_of_mysql_is_as_good_as_a_port() {
    a_socket_is_as_good_as_a_port(MYSQL);
    a_socket_is_as_good_as_a_port(MYSQL_9);
}

#[test]
fn a_socket_of_mariadb_is_as_good_as_a_port() {
    a_socket_is_as_good_as_a_port(MARIADB);
}

#[test]
fn the_other_familys_runner_says_which_one_to_use() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("brand");
    let store = Directory::new();
    let env = server
        .env(&database)
        .and(store.env())
        .with("BACKUP_PATH", "b");
    let refused = tests::spawn_engine("mysql", env, &["backup"])
        .wait()
        .ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("use plan-b-backup-mariadb"), "{message}");
}

#[test]
fn a_database_that_is_not_there_is_not_found() {
    let server = world().mysql(MARIADB);
    let store = Directory::new();
    let refused = run(server, "no-such-database", "backup", store.env()).ended(1);
    assert_eq!(reason(&refused).0, "not_found");
}
