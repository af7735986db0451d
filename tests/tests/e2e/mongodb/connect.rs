//! A server is waited for; one that refuses is not; neither secret nor doubt gets out.

use mongodb::bson::doc;
use tests::{Certificates, Env, Launch, Mongo, spawn_engine, spawn_program, world};

use super::{backup, fresh, run, shop};
use crate::kit::{Directory, reason};
use crate::secure::Secure;

#[test]
fn a_wrong_password_is_final_and_says_whose() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    let env = store.env().with("DB_PASSWORD", "wrong-Pa55word");
    let refused = run(server, &database, "backup", env).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    let expected = format!(
        "database \"{database}\" on 127.0.0.1:{} refused the password for \"root\"",
        server.port()
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(!refused.stderr.contains("wrong-Pa55word"));
    assert!(!refused.stderr.contains("trying again"));
    assert_eq!(store.files(), Vec::<String>::new());
}

#[test]
fn a_server_that_is_away_is_worth_another_try() {
    let store = Directory::new();
    let env = world()
        .mongo()
        .env("shop")
        .with("DB_PORT", "1")
        .with("CONNECT_TIMEOUT", "1s");
    let run = spawn_engine("mongodb", env.and(store.env()), &["backup"])
        .wait()
        .ended(75);
    assert_eq!(reason(&run).0, "unreachable");
}

#[test]
fn a_database_that_is_not_there_is_named_with_those_that_are() {
    let server = world().mongo();
    let there = shop(server);
    let run = run(server, "nope", "backup", Directory::new().env()).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "not_found");
    assert!(message.contains(&there), "{message}");
}

#[test]
fn one_connection_string_is_enough_and_stays_secret() {
    let server = world().mongo();
    let database = shop(server);
    let before = server.content(&database);
    let store = Directory::new();
    let uri = |database: &str| {
        let env = Env::default()
            .with("DB_URI", server.uri())
            .with("DB_NAME", database);
        env.with("MONGO_BIN", server.tools())
            .with("BACKUP_PATH", "b")
            .with("LOG_LEVEL", "debug")
            .and(store.env())
    };
    let backed_up = spawn_engine("mongodb", uri(&database), &["backup"])
        .wait()
        .good();
    let restored = fresh("by-uri");
    let done = spawn_engine("mongodb", uri(&restored), &["restore"])
        .wait()
        .good();
    assert_eq!(server.content(&restored), before);
    for run in [backed_up, done] {
        assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    }
    let manifest = std::fs::read_to_string(store.path().join("b/manifest.json")).unwrap();
    assert!(!manifest.contains("s3cret") && !manifest.contains("mongodb://"));
}

/// A certificate that vouches for itself, and names the server's address on the network.
const WITH_CERTIFICATE: &str = r#"
cat >/tmp/tls.cnf <<END
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = planb
[extensions]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost,IP:$(hostname -i)
END
openssl req -x509 -config /tmp/tls.cnf -newkey rsa:2048 -nodes -days 2 -keyout /tmp/key.pem -out /tmp/tls-cert.pem
cat /tmp/key.pem /tmp/tls-cert.pem >/tmp/tls.pem
chown --reference=/data/db /tmp/tls.pem
"#;

#[test]
fn tls_is_preferred_insisted_on_and_checked() {
    let args = [
        "--tlsMode=preferTLS",
        "--tlsCertificateKeyFile=/tmp/tls.pem",
        "--tlsCAFile=/tmp/tls-cert.pem",
        "--tlsAllowConnectionsWithoutCertificates",
    ];
    let launch = Launch::from(&args).after(WITH_CERTIFICATE);
    let server = world().own_mongo(Mongo::NEWEST, launch);
    tls_is_used(&server, "27017");
}

/// A stand-in that listens in TLS on a second port, and there without it to nobody.
#[test]
fn who_insists_on_doing_without_tls_is_not_served_where_there_is_nothing_else() {
    if !Mongo::is_ferretdb() {
        return; // whose options these are
    }
    let server = world().own_mongo(Mongo::FERRETDB, &["--tls-listen=:27018"]);
    tls_is_used(&server, "27018");
    let address = Directory::new()
        .env()
        .with("DB_HOST", server.inner_address());
    let plain = address
        .with("DB_PORT", "27018")
        .with("DB_TLS_MODE", "disable")
        .with("CONNECT_TIMEOUT", "5s");
    let plain = run(&server, "shop", "backup", plain).ended(75);
    assert_eq!(reason(&plain).0, "unreachable");
}

fn tls_is_used(server: &Mongo, port: &str) {
    let database = shop(server);
    let before = server.content(&database);
    let store = Directory::new();
    let own = store.path().join("own.pem");
    let from = format!("{}:/tmp/tls-cert.pem", server.name());
    spawn_program("docker", &["cp", &from, own.to_str().unwrap()])
        .wait()
        .good();
    let env = |mode: &str| {
        let address = store.env().with("DB_HOST", server.inner_address());
        let env = address.with("DB_PORT", port).with("DB_TLS_MODE", mode);
        env.with("CONNECT_TIMEOUT", "5s").with("BACKUP_PATH", mode)
    };
    for mode in ["prefer", "require", "verify-full"] {
        let env = match mode {
            "verify-full" => env(mode).with("DB_TLS_CA_FILE", own.to_str().unwrap()),
            _ => env(mode),
        };
        backup(server, &database, env.clone());
        let restored = fresh("by-tls");
        run(server, &restored, "restore", env).good();
        assert_eq!(server.content(&restored), before);
    }
    // Nobody whom this system trusts has signed it.
    let strange = env("verify-full").with("BACKUP_PATH", "strange");
    let strange = run(server, &database, "backup", strange).ended(1);
    let (kind, message) = reason(&strange);
    assert_eq!(kind, "denied");
    assert!(message.contains("check DB_TLS_CA_FILE"), "{message}");
    let half = run(server, &database, "backup", env("verify-ca")).ended(1);
    assert_eq!(reason(&half).0, "config");
}

/// A stand-in can call itself a member of a replica set; it has no oplog.
#[test]
fn a_replica_set_without_an_oplog_is_told_from_one_with() {
    if !Mongo::is_ferretdb() {
        return; // a mongod of a replica set has one
    }
    let server = world().own_mongo(Mongo::FERRETDB, &["--replSet=rs0"]);
    let database = shop(&server);
    let store = Directory::new();
    let done = backup(&server, "*", store.env());
    assert!(
        done.stderr.contains("topology replica set"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("not consistent under writes"));
    let required = store
        .env()
        .with("BACKUP_OPLOG", "required")
        .with("BACKUP_PATH", "c");
    let refused = run(&server, "*", "backup", required.clone()).ended(1);
    assert!(
        reason(&refused)
            .1
            .contains("BACKUP_OPLOG=required cannot be met")
    );
    let refused = run(&server, &database, "backup", required).ended(1);
    assert!(reason(&refused).1.contains("only with DB_NAME=*"));
}

#[test]
fn a_certificate_is_as_good_as_a_password() {
    let certificates = Certificates::new();
    let args = [
        "--tlsMode=preferTLS",
        "--tlsCertificateKeyFile=/tls/both.pem",
        "--tlsCAFile=/tls/ca.pem",
        "--tlsAllowConnectionsWithoutCertificates",
    ];
    let launch = Launch::from(&args).after(&certificates.prologue("/data/db"));
    let server = world().own_mongo(Mongo::NEWEST, launch);
    let subject = format!("CN={}", Certificates::CLIENT);
    let roles = ["root"];
    server.command(
        "$external",
        doc! { "createUser": subject, "roles": [{ "role": roles[0], "db": "admin" }] },
    );
    let database = shop(&server);
    let before = server.content(&database);
    let store = Directory::new();
    let uri = format!(
        "mongodb://127.0.0.1:{}/?tls=true&authMechanism=MONGODB-X509&authSource=$external",
        server.port()
    );
    let secure = Secure {
        certificates,
        near: Env::default().with("DB_URI", uri),
        far: Env::default(),
    };
    let job = |database: &str, operation: &str, env: Env| {
        let env = env
            .with("DB_NAME", database)
            .with("MONGO_BIN", server.tools());
        let defaults = store
            .env()
            .with("BACKUP_PATH", "b")
            .with("CONNECT_TIMEOUT", "5s");
        spawn_engine("mongodb", defaults.and(env), &[operation]).wait()
    };
    let certified = secure.certified();
    job(&database, "backup", certified.clone()).good();
    let restored = fresh("by-certificate");
    job(&restored, "restore", certified).good();
    assert_eq!(server.content(&restored), before);
    let without = secure.trusting().with("BACKUP_PATH", "without");
    let refused = job(&database, "backup", without).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied", "{message}");
}

#[test]
fn a_socket_is_as_good_as_a_port() {
    // The tools read capitals as small letters.
    let name = format!("planb-{}-{}", std::process::id(), fresh("sockets"));
    let sockets = tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .tempdir()
        .unwrap();
    let args = ["--unixSocketPrefix=/sockets", "--filePermissions=0777"];
    let launch = Launch::from(&args).with_sockets(sockets.path());
    let server = world().own_mongo(Mongo::NEWEST, launch);
    let database = shop(&server);
    let before = server.content(&database);
    let store = Directory::new();
    for host in [
        sockets.path().to_owned(),
        sockets.path().join("mongodb-27017.sock"),
    ] {
        let env = store.env().with("DB_HOST", host.to_str().unwrap());
        let env = env.with("DB_PORT", "27017").with("BACKUP_PATH", fresh("b"));
        backup(&server, &database, env.clone());
        let restored = fresh("by-socket");
        run(&server, &restored, "restore", env).good();
        assert_eq!(server.content(&restored), before);
    }
}
