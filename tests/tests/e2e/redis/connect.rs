//! Redis and Valkey by other ways than a plain port: TLS in every mode, certificates, sockets, Sentinel.

use tests::{Certificates, Env, Launch, Redis, RedisCluster, TcpProxy, world};

use super::{backup, many, run, server, zoo};
use crate::kit::{Directory, reason, until};
use crate::secure::Secure;

fn secure(image: &'static str, asks_for_certificates: &str) -> (Redis, Secure) {
    let certificates = Certificates::new();
    let launch = Redis::secure(
        &certificates,
        &["--tls-auth-clients", asks_for_certificates],
    );
    let server = world().own_redis(image, launch);
    let proxy = TcpProxy::start(format!("{}:6380", server.ip()));
    let at = |host: &str, port: String| {
        let env = Env::default().with("DB_HOST", host);
        env.with("DB_PORT", port)
    };
    let secure = Secure {
        certificates,
        near: at("127.0.0.1", proxy.port().to_string()),
        far: at(&server.ip(), "6380".into()),
    };
    (server, secure)
}

fn tls_is_spoken_as_its_mode_says(image: &'static str) {
    let (server, secure) = secure(image, "no");
    many(&server, 1000);
    let (before, store) = (server.digest(), Directory::new());
    secure.is_checked(|env| run(&server, "backup", store.env().and(env)));
    for n in 0..4 {
        let env = store.env().with("BACKUP_PATH", format!("good-{n}"));
        let back = secure.far.clone().with("DB_TLS_MODE", "require");
        let drop = back.with("RESTORE_DROP_EXISTING", "true");
        run(&server, "restore", env.and(drop)).good();
        assert_eq!(server.digest(), before);
    }
}

#[test]
fn tls_is_spoken_as_its_mode_says_with_redis() {
    tls_is_spoken_as_its_mode_says("redis:7");
}

#[test]
fn tls_is_spoken_as_its_mode_says_with_valkey() {
    tls_is_spoken_as_its_mode_says("valkey/valkey:9");
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_one() {
    let (server, secure) = secure("redis:8", "yes");
    zoo(&server);
    let (before, store) = (server.digest(), Directory::new());
    let certified = store.env().and(secure.certified());
    backup(&server, certified.clone());
    let drop = certified.with("RESTORE_DROP_EXISTING", "true");
    run(&server, "restore", drop).good();
    assert_eq!(server.digest(), before);
    secure.is_certified(|env| run(&server, "backup", store.env().and(env)));
}

#[test]
fn a_cluster_whose_nodes_speak_tls_is_read_and_filled_by_it() {
    let certificates = Certificates::new();
    let slots = ["0-8191", "8192-16383"];
    let cluster = RedisCluster::start_secure("redis:7", &slots, &certificates);
    for n in 0..100 {
        let (a, b) = (format!("MSET {{b}}{n} 1"), format!("MSET {{foo}}{n} 2"));
        cluster.nodes[0].fill(&a);
        cluster.nodes[1].fill(&b);
    }
    let before = (cluster.digest(), cluster.n_keys());
    let store = Directory::new();
    let env = store
        .env()
        .with("DB_HOST", cluster.nodes[0].ip())
        .with("DB_PORT", "6380")
        .with("DB_TLS_MODE", "verify-ca")
        .with("DB_TLS_CA_FILE", certificates.path("ca.pem"))
        .with("DB_TLS_CERT_FILE", certificates.path("client.pem"))
        .with("DB_TLS_KEY_FILE", certificates.path("client-key.pem"));
    backup(&cluster.nodes[0], env.clone());
    run(
        &cluster.nodes[0],
        "restore",
        env.with("RESTORE_DROP_EXISTING", "true"),
    )
    .good();
    assert_eq!((cluster.digest(), cluster.n_keys()), before);
}

#[test]
fn a_socket_is_as_good_as_a_port() {
    for image in ["redis:6", "valkey/valkey:8"] {
        let sockets = tempfile::tempdir().unwrap();
        let args = [
            "--unixsocket",
            "/sockets/redis.sock",
            "--unixsocketperm",
            "777",
            "--requirepass",
            "s3cret",
        ];
        let server = world().own_redis(image, Launch::from(&args).with_sockets(sockets.path()));
        many(&server, 1000);
        let (before, store) = (server.digest(), Directory::new());
        for host in [sockets.path().to_owned(), sockets.path().join("redis.sock")] {
            let env = store.env().with("DB_HOST", host.to_str().unwrap());
            let env = env.with("BACKUP_PATH", world().unique("b"));
            backup(&server, env.clone());
            run(
                &server,
                "restore",
                env.with("RESTORE_DROP_EXISTING", "true"),
            )
            .good();
            assert_eq!(server.digest(), before);
        }
    }
}

#[test]
fn sentinels_are_asked_who_the_master_is_each_time() {
    let master = server("redis:7");
    let replica = world().own_redis("redis:7", &["--replicaof", &master.ip(), "6379"]);
    many(&master, 1000);
    let sentinel = world().own_sentinel(&master, "shop");
    let before = master.digest();
    let store = Directory::new();
    // One that is away comes first, and one without a port last.
    let hosts = format!("127.0.0.1:1, {}", sentinel.ip());
    let env = store
        .env()
        .with("DB_HOST", hosts)
        .with("DB_PORT", "6379")
        .with("REDIS_SENTINEL_MASTER", "shop")
        .with("REDIS_SENTINEL_PASSWORD", sentinel.password());
    let done = backup(&master, env.clone());
    let named = |server: &Redis| format!("\"address\":\"{}:6379\"", server.ip());
    assert!(done.stderr.contains(&named(&master)), "{}", done.stderr);
    let known = || sentinel.run("SENTINEL REPLICAS shop");
    until("replicated", || {
        known().contains(&replica.ip()) && replica.digest() == before
    });
    until("failing over", || {
        sentinel.run("SENTINEL FAILOVER shop") == "OK"
    });
    let now = || sentinel.run("SENTINEL GET-MASTER-ADDR-BY-NAME shop");
    let leads = || replica.run("ROLE").starts_with("master");
    until("failed over", || now().contains(&replica.ip()) && leads());
    let after = env.clone().with("BACKUP_PATH", "after");
    let done = backup(&master, after.clone());
    assert!(done.stderr.contains(&named(&replica)), "{}", done.stderr);
    let drop = after.with("RESTORE_DROP_EXISTING", "true");
    run(&master, "restore", drop).good();
    assert_eq!(replica.digest(), before);
    let env = env.with("BACKUP_PATH", "none");
    let unknown = env.clone().with("REDIS_SENTINEL_MASTER", "shoe");
    let refused = run(&master, "backup", unknown).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "not_found");
    assert!(message.contains("check REDIS_SENTINEL_MASTER"), "{message}");
    let wrong = env.with("REDIS_SENTINEL_PASSWORD", "wr0ng");
    let refused = run(&master, "backup", wrong).ended(1);
    assert_eq!(reason(&refused).0, "denied");
}
