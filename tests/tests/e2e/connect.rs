//! PostgreSQL by other ways than a plain port: TLS in every mode, certificates, sockets.

use tests::{Certificates, Env, Launch, Postgres, Seat, world};

use crate::kit::{Directory, backup, reason, restore, try_backup};
use crate::secure::Secure;

const RULES: &str = "
cat >/tls/pg_hba.conf <<'END'
local     all all       trust
hostnossl all encrypted all reject
hostssl   all certified all cert
hostnossl all certified all reject
host      all all       all scram-sha-256
END
chown --reference=/tls/ca.pem /tls/pg_hba.conf";
const TLS: [&str; 10] = [
    "-c",
    "ssl=on",
    "-c",
    "ssl_cert_file=/tls/server.pem",
    "-c",
    "ssl_key_file=/tls/server-key.pem",
    "-c",
    "ssl_ca_file=/tls/ca.pem",
    "-c",
    "hba_file=/tls/pg_hba.conf",
];

fn small(server: &Postgres) -> String {
    let database = server.create_database("connect");
    server.psql(
        &database,
        "create table t (a int primary key); insert into t select generate_series(1, 1000)",
    );
    database
}

fn n_rows(server: &Postgres, database: &str) -> String {
    server.psql(database, "select count(*) from t")
}

#[test]
fn tls_is_spoken_as_its_mode_says() {
    let certificates = Certificates::new();
    let owner = "\"$(dirname \"$PGDATA\")\"";
    let prologue = certificates.prologue(owner);
    let launch = Launch::from(&TLS).after("install -d -o postgres \"$(dirname \"$PGDATA\")\"");
    let server = world().own_postgres(17, launch.after(&prologue).after(RULES));
    let at = |(host, port): (String, u16)| {
        let env = Env::default().with("DB_HOST", host);
        env.with("DB_PORT", port.to_string())
    };
    let secure = Secure {
        certificates,
        near: at(server.address(Seat::Host)),
        far: at(server.inner_address()),
    };
    server.psql("postgres", "create role encrypted superuser login password 'pw'; create role certified superuser login");
    let (database, store) = (small(&server), Directory::new());
    let encrypted = Env::default()
        .with("DB_USERNAME", "encrypted")
        .with("DB_PASSWORD", "pw");
    secure.is_checked(|env| try_backup(&server, &database, store.env().and(&encrypted).and(env)));
    let plain = secure.near.clone().with("DB_TLS_MODE", "disable");
    let refused = try_backup(&server, &database, store.env().and(encrypted).and(plain)).ended(1);
    assert_eq!(reason(&refused).0, "denied");
    // A certificate in place of a password.
    let login = store
        .env()
        .with("DB_USERNAME", Certificates::CLIENT)
        .with("DB_PASSWORD", "");
    let certified = login.clone().and(secure.certified());
    backup(&server, &database, certified.clone());
    let restored = world().unique("by-certificate");
    restore(&server, &restored, certified).good();
    assert_eq!(n_rows(&server, &restored), "1000");
    secure.is_certified(|env| try_backup(&server, &database, login.clone().and(env)));
}

#[test]
fn a_socket_is_as_good_as_a_port() {
    let sockets = tempfile::tempdir().unwrap();
    let args = ["-c", "unix_socket_directories=/sockets"];
    let launch = Launch::from(&args).with_sockets(sockets.path());
    let server = world().own_postgres(17, launch);
    let (database, store) = (small(&server), Directory::new());
    let env = store
        .env()
        .with("DB_HOST", sockets.path().to_str().unwrap())
        .with("DB_PORT", "5432");
    backup(&server, &database, env.clone());
    let restored = world().unique("by-socket");
    restore(&server, &restored, env).good();
    assert_eq!(n_rows(&server, &restored), "1000");
}
