//! Clusters: each shard an artifact, restorable into any cluster and into one server.

use serde_json::Value;
use tests::{Env, Hitch, Redis, RedisCluster, TcpProxy, run_image};

use super::{backup, many, run, server, start, zoo};
use crate::kit::{Directory, reason, until};

const THIRDS: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];
/// In pieces, and with a master that has none.
const ODD: [&str; 3] = ["0-99 8000-12181", "100-7999 12183-16383", "12182"];

/// A server with what a cluster can hold too.
fn one_database(image: &'static str) -> Redis {
    let server = server(image);
    zoo(&server);
    many(&server, 5000);
    // So that each master has some: they are of the slots 3300, 7365, 12182 and 15495.
    server.fill("MSET {b} 1 {c} 2 {foo} 3 {a} 4\nSELECT 3\nFLUSHDB\nSELECT 15\nFLUSHDB");
    server
}

/// Functions as a server lists them, in their order.
fn functions(server: &Redis) -> String {
    server
        .run("FUNCTION LIST LIBRARYNAME first WITHCODE\nFUNCTION LIST LIBRARYNAME second WITHCODE")
}

fn manifest(store: &Directory, path: &str) -> Value {
    let file = store.path().join(path).join("manifest.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn comes_back(image: &'static str) {
    let source = one_database(image);
    let (cluster, other) = (
        RedisCluster::start(image, &THIRDS),
        RedisCluster::start(image, &ODD),
    );
    let before = source.digest();
    let store = Directory::new();
    // A server into a cluster.
    backup(&source, store.env());
    let restored = run(&cluster.nodes[1], "restore", store.env()).good();
    assert!(
        restored.stderr.contains("proven equal"),
        "{}",
        restored.stderr
    );
    assert_eq!(before, cluster.digest());
    assert!(cluster.n_keys().iter().all(|it| *it > 1000));
    for node in &cluster.nodes {
        assert_eq!(functions(&source), functions(node));
    }
    // That cluster into another one, and into a server.
    let env = store.env().with("BACKUP_PATH", "cluster");
    let done = backup(&cluster.nodes[2], env.clone());
    assert!(
        done.stderr.contains("not all of them of the same"),
        "{}",
        done.stderr
    );
    let manifest = manifest(&store, "cluster");
    let paths = manifest["artifacts"].as_array().unwrap().iter();
    let paths: Vec<&str> = paths.map(|it| it["path"].as_str().unwrap()).collect();
    for (path, name) in paths.iter().zip([
        "shard-00000-05460.rdb",
        "shard-05461-10922.rdb",
        "shard-10923-16383.rdb",
    ]) {
        assert!(path.contains(name), "{paths:?}");
    }
    let consistency = &manifest["consistency"];
    assert_eq!(consistency["point_in_time"], false);
    for (n, shard) in consistency["shards"].as_array().unwrap().iter().enumerate() {
        assert_eq!(shard["slots"], THIRDS[n]);
        assert_eq!(shard["point_in_time"], true);
        assert!(shard["replication_offset"].is_u64(), "{shard}");
        let address = format!("{}:6379", cluster.nodes[n].ip());
        assert_eq!(shard["address"], address);
    }
    run(&other.nodes[0], "restore", env.clone()).good();
    assert_eq!(before, other.digest());
    assert!(other.n_keys().iter().all(|it| *it > 0));
    let target = server(image);
    run(&target, "restore", env.clone()).good();
    assert_eq!(before, target.digest());
    assert_eq!(functions(&source), functions(&target));
    // What is there is refused on any master, and replaced on all.
    other.nodes[1].run("FLUSHALL");
    let refused = run(&other.nodes[1], "restore", env.clone()).ended(1);
    let (_, message) = reason(&refused);
    assert!(message.contains("keys in database 0 of"), "{message}");
    let env = env.with("RESTORE_DROP_EXISTING", "true");
    run(&other.nodes[1], "restore", env).good();
    assert_eq!(before, other.digest());
}

#[test]
fn a_cluster_comes_back_on_redis_7() {
    comes_back("redis:7");
}

#[test]
fn a_cluster_comes_back_on_redis_8() {
    comes_back("redis:8");
}

#[test]
fn a_cluster_comes_back_on_valkey_9() {
    comes_back("valkey/valkey:9");
}

#[test]
fn a_cluster_comes_back_by_scan_on_redis_6() {
    let (cluster, target) = (RedisCluster::start("redis:6", &THIRDS), server("redis:6"));
    cluster
        .nodes
        .iter()
        .zip(["{b}", "{c}", "{a}"])
        .for_each(|(node, tag)| {
            let commands = "for i=1,3000 do redis.call('SET',KEYS[1]..i,i) end";
            node.fill(&format!("EVAL \"{commands}\" 1 {tag}"));
        });
    let store = Directory::new();
    let env = store.env().with("REDIS_BACKUP_MODE", "scan");
    backup(&cluster.nodes[0], env.clone());
    assert_eq!(manifest(&store, "b")["consistency"]["mode"], "scan");
    run(&target, "restore", env).good();
    assert_eq!(cluster.digest(), target.digest());
}

/// The instructions of the backup itself, followed to the letter with stock servers: nodes at addresses of their own in
/// one container.
#[test]
fn a_cluster_restores_by_hand() {
    let (source, cluster) = (
        one_database("redis:7"),
        RedisCluster::start("redis:7", &ODD),
    );
    let store = Directory::new();
    backup(&source, store.env());
    run(&cluster.nodes[0], "restore", store.env()).good();
    let env = store.env().with("BACKUP_PATH", "cluster");
    // The server's image has gzip and no zstd.
    backup(&cluster.nodes[0], env.with("COMPRESSION", "gzip"));
    let text = std::fs::read_to_string(store.path().join("cluster/RESTORE.md")).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks: Vec<&str> = blocks.map(|it| it.strip_prefix("sh\n").unwrap()).collect();
    assert_eq!(blocks.len(), 6, "{text}");
    let mut script = "set -eu; cd /hand\n\
         start() { export NODE=127.0.1.$1 DATA=/tmp/node$1; mkdir -p $DATA; redis-server --bind $NODE --dir $DATA --dbfilename dump.rdb \
         --appendonly no --cluster-enabled yes --enable-debug-command local --daemonize yes >/dev/null; \
         until redis-cli -h $NODE PING | grep -q PONG; do sleep 0.1; done; }\n"
        .to_owned();
    for (n, [slots, _]) in blocks.as_chunks().0.iter().enumerate() {
        script += &format!("start {n}; {slots}\nredis-cli -h $NODE cluster meet 127.0.1.0 6379\n");
    }
    for (n, [_, file]) in blocks.as_chunks().0.iter().enumerate() {
        script += &format!(
            "export NODE=127.0.1.{n} DATA=/tmp/node{n}; redis-cli -h $NODE shutdown nosave\n{file}\nstart {n}\n"
        );
    }
    script += "for n in 0 1 2; do redis-cli -h 127.0.1.$n DEBUG DIGEST; done";
    let mount = format!("{}:/hand:ro", store.path().join("cluster").display());
    let args = ["-v", &mount, "--user=0"];
    let done = run_image("redis:7", Env::default(), &args, &["sh", "-c", &script]).good();
    let digests = done.stdout.lines().filter(|line| line.len() == 40);
    let by_hand = RedisCluster::digest_of(digests.map(str::to_owned));
    assert_eq!(source.digest(), by_hand, "{}", done.stdout);
}

#[test]
fn a_cluster_with_slots_that_nobody_has_is_refused() {
    let cluster = RedisCluster::start("redis:7", &["0-5460", "5462-10922", "10925-16383"]);
    let store = Directory::new();
    let refused = run(&cluster.nodes[0], "backup", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(
        message.contains("no master for the slots 5461, 10923-10924"),
        "{message}"
    );
}

#[test]
fn slots_that_are_being_moved_are_waited_for() {
    let cluster = RedisCluster::start("redis:7", &THIRDS);
    let to = cluster.nodes[1].run("CLUSTER MYID");
    cluster.nodes[0].fill(&format!("CLUSTER SETSLOT 77 MIGRATING {to}"));
    let store = Directory::new();
    let refused = run(&cluster.nodes[2], "backup", store.env()).ended(75);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unreachable");
    assert!(
        message.contains(&format!("are being moved: 77->-{to}")),
        "{message}"
    );
    cluster.nodes[0].fill("CLUSTER SETSLOT 77 STABLE");
    backup(&cluster.nodes[2], store.env());
}

/// Valkey 9 moves them whole: the importing master has keys already that are not its own yet.
#[test]
fn slots_that_are_being_moved_whole_are_waited_for() {
    let cluster = RedisCluster::start("valkey/valkey:9", &THIRDS);
    let to = cluster.nodes[1].run("CLUSTER MYID");
    cluster.nodes[0].fill("MSET {b}1 1 {b}2 2 {b}3 3");
    cluster.nodes[0].fill(&format!(
        "DEBUG SLOTMIGRATION PREVENT-PAUSE 1\nCLUSTER MIGRATESLOTS SLOTSRANGE 3000 3999 NODE {to}"
    ));
    let comes = |state: &str| {
        let migrations = || cluster.nodes[1].run("CLUSTER GETSLOTMIGRATIONS");
        until(state, || migrations().contains(state));
    };
    comes("waiting-for-paused");
    let store = Directory::new();
    let refused = run(&cluster.nodes[2], "backup", store.env()).ended(75);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unreachable");
    assert!(message.contains("are being moved: 3000-3999"), "{message}");
    cluster.nodes[0].fill("DEBUG SLOTMIGRATION PREVENT-PAUSE 0");
    comes("success");
    cluster.settle();
    assert_eq!(cluster.n_keys(), [0, 3, 0]);
    let before = cluster.digest();
    backup(&cluster.nodes[2], store.env());
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(&cluster.nodes[2], "restore", drop).good();
    assert_eq!(cluster.digest(), before);
}

#[test]
fn a_cluster_takes_no_other_database_and_loses_nothing_for_it() {
    let (source, cluster) = (server("redis:7"), RedisCluster::start("redis:7", &THIRDS));
    source.fill("SET a 1\nSELECT 3\nSET b 2\nSAVE");
    let store = Directory::new();
    backup(&source, store.env());
    source.copy_out("/data/dump.rdb", &store.path().join("dump.rdb"));
    cluster.nodes[0].fill("SET {b} precious");
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    for path in ["b", "dump.rdb"] {
        let env = env.clone().with("BACKUP_PATH", path);
        let refused = run(&cluster.nodes[0], "restore", env).ended(1);
        let (kind, message) = reason(&refused);
        assert_eq!(kind, "unfit");
        assert!(message.contains("has no database 3"), "{message}");
        assert_eq!(cluster.nodes[0].run("GET {b}"), "precious");
    }
    // One of them may be asked for.
    run(&cluster.nodes[0], "restore", env.with("DB_NAME", "0")).good();
    assert_eq!(cluster.n_keys(), [0, 0, 1]);
}

#[test]
fn a_master_that_is_away_is_named_with_its_slots() {
    let cluster = RedisCluster::start("valkey/valkey:9", &THIRDS);
    let ip = cluster.nodes[1].ip();
    tests::spawn_program("docker", &["stop", "-t", "1", cluster.nodes[1].name()])
        .wait()
        .good();
    let store = Directory::new();
    let env = store.env().with("CONNECT_TIMEOUT", "1s");
    let failed = run(&cluster.nodes[0], "backup", env).ended(75);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "unreachable");
    let words = format!(
        "reach {ip}:6379, which the cluster announces as the master of the slots 5461-10922"
    );
    assert!(message.contains(&words), "{message}");
    assert_eq!(store.files(), [""; 0]);
}

/// Large shards, and a relay before the second of them.
fn behind_a_relay(image: &'static str) -> (RedisCluster, TcpProxy) {
    let cluster = RedisCluster::start(image, &THIRDS);
    for (node, tag) in cluster.nodes.iter().zip(["{b}", "{c}", "{a}"]) {
        // As large in a snapshot as in memory.
        node.fill("CONFIG SET rdbcompression no");
        node.fill(&format!(
            "EVAL \"for i=1,400 do redis.call('SET',KEYS[1]..i,string.rep(i..'-',16384)) end\" 1 {tag}"
        ));
    }
    let proxy = TcpProxy::start(format!("{}:6379", cluster.nodes[1].ip()));
    for (n, node) in cluster.nodes.iter().enumerate() {
        let host = if n == 1 { "localhost" } else { &node.ip() };
        node.fill(&format!(
            "CONFIG SET cluster-announce-hostname {host}\nCONFIG SET cluster-preferred-endpoint-type hostname"
        ));
    }
    cluster.nodes[1].fill(&format!(
        "CONFIG SET cluster-announce-port {}",
        proxy.port()
    ));
    let announced = |node: &Redis| {
        node.run("CLUSTER SLOTS")
            .contains(&proxy.port().to_string())
    };
    while !announced(&cluster.nodes[0]) || cluster.nodes[0].run("CLUSTER SLOTS").contains("?") {}
    (cluster, proxy)
}

#[test]
fn a_shard_that_is_cut_leaves_no_backup() {
    for image in ["redis:7", "valkey/valkey:9"] {
        let (cluster, proxy) = behind_a_relay(image);
        proxy.set(Hitch::CutAfter(10 << 20));
        let store = Directory::new();
        let failed = run(&cluster.nodes[0], "backup", store.env()).ended(75);
        let (kind, message) = reason(&failed);
        assert_eq!(kind, "unreachable", "{message}");
        assert!(message.contains("read the server's snapshot"), "{message}");
        assert_eq!(store.files(), [""; 0]);
        proxy.set(Hitch::None);
        backup(&cluster.nodes[0], store.env());
    }
}

#[test]
fn slots_that_moved_while_they_were_read_leave_no_backup() {
    let (cluster, proxy) = behind_a_relay("redis:7");
    proxy.set(Hitch::StallAfter(10 << 20));
    let store = Directory::new();
    let running = start(&cluster.nodes[0], "backup", store.env());
    proxy.wait_for_hitches(1);
    // Nothing is in that slot, so it moves at once.
    let to = cluster.nodes[2].run("CLUSTER MYID");
    for node in [2, 0, 1] {
        cluster.nodes[node].fill(&format!("CLUSTER SETSLOT 77 NODE {to}"));
    }
    proxy.set(Hitch::None);
    let failed = running.wait().ended(75);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "unreachable");
    assert!(
        message.contains("moved, or a master was replaced"),
        "{message}"
    );
    assert_eq!(store.files(), [""; 0]);
}

#[test]
fn slots_that_move_during_a_restore_end_it() {
    let (cluster, proxy) = behind_a_relay("redis:7");
    let source = server("redis:7");
    source.fill("EVAL \"for i=1,30000 do redis.call('SET','{c}'..i,i) end\" 0");
    let store = Directory::new();
    backup(&source, store.env());
    // Answers are of a few bytes.
    proxy.set(Hitch::StallAfter(20_000));
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    let running = start(&cluster.nodes[0], "restore", env);
    proxy.wait_for_hitches(1);
    let to = cluster.nodes[2].run("CLUSTER MYID");
    cluster.nodes[1].fill(&format!("CLUSTER SETSLOT 7365 MIGRATING {to}"));
    proxy.set(Hitch::None);
    let failed = running.wait().ended(75);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "unreachable");
    assert!(message.contains("ASK 7365"), "{message}");
    assert!(
        message.contains("slots were moved while this restore ran"),
        "{message}"
    );
    assert!(message.contains("stay there"), "{message}");
}

#[test]
fn functions_that_differ_are_not_guessed_at() {
    let (cluster, target) = (RedisCluster::start("redis:7", &THIRDS), server("redis:7"));
    cluster.nodes[0].fill("SET {b} 1");
    cluster.nodes[1].fill(include_str!("functions.txt"));
    let store = Directory::new();
    let done = backup(&cluster.nodes[0], store.env());
    assert!(
        done.stderr.contains("hold different libraries"),
        "{}",
        done.stderr
    );
    let refused = run(&target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("DB_NAME=0"), "{message}");
    run(
        &target,
        "restore",
        Env::from(&[("DB_NAME", "0")]).and(store.env()),
    )
    .good();
    assert_eq!(target.n_keys(0), 1);
}

#[test]
fn the_rights_that_the_documentation_names_are_enough_for_a_cluster() {
    let image = "valkey/valkey:9";
    let (source, cluster) = (one_database(image), RedisCluster::start(image, &THIRDS));
    let store = Directory::new();
    backup(&source, store.env());
    let rights = "ACL SETUSER planb on >pw ~* resetchannels +auth +ping +info +time +psync +replconf +config|get \
         +cluster|slots +cluster|nodes +cluster|getslotmigrations";
    let env = store
        .env()
        .with("DB_USERNAME", "planb")
        .with("DB_PASSWORD", "pw");
    for node in &cluster.nodes {
        node.fill(&format!(
            "{rights} +select +restore +function|dump +function|list +function|load"
        ));
    }
    run(&cluster.nodes[0], "restore", env.clone()).good();
    assert_eq!(source.digest(), cluster.digest());
    for node in &cluster.nodes {
        node.fill("ACL DELUSER planb");
        node.fill(rights);
    }
    let env = env.with("BACKUP_PATH", "cluster");
    backup(
        &cluster.nodes[0],
        env.with("REDIS_BACKUP_MODE", "replication"),
    );
}
