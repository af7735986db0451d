//! Redis and Valkey: every key comes back, of one moment, or nothing is claimed.

mod cluster;
mod connect;
mod failures;
mod foreign;
mod memory;
mod partial;
mod refusals;
mod round_trip;
mod scan;

use tests::{Env, Redis, Run, Running, spawn_engine, world};

/// Runs an operation of the server's own runner; the backup is `b` unless `env` says otherwise.
fn start(server: &Redis, operation: &str, env: Env) -> Running {
    let defaults = server.env().with("BACKUP_PATH", "b");
    spawn_engine(server.engine(), defaults.and(env), &[operation])
}

fn run(server: &Redis, operation: &str, env: Env) -> Run {
    start(server, operation, env).wait()
}

#[track_caller]
fn backup(server: &Redis, env: Env) -> Run {
    run(server, "backup", env).good()
}

fn server(image: &'static str) -> Redis {
    world().own_redis(image, &[])
}

/// Every type in every size that has an encoding of its own, what is odd about keys, several databases.
fn zoo(server: &Redis) {
    server.fill(include_str!("redis/zoo.txt"));
    server.fill(
        "EVAL \"for i=1,3000 do redis.call('HSET',KEYS[1],'f'..i,'v'..i) redis.call('ZADD',KEYS[2],i*1.5,'m'..i) \
         redis.call('RPUSH',KEYS[3],string.rep('y',i%300)) redis.call('SADD',KEYS[4],'m'..i) redis.call('SADD',KEYS[5],i) \
         redis.call('XADD',KEYS[6],i..'-1','n',i,'text',string.rep('z',i%100)) end\" 6 big:hash big:zset big:list big:set big:intset big:stream",
    );
    if server.image != "redis:6" {
        server.fill(include_str!("redis/functions.txt"));
    }
    if has_field_expiry(server) {
        server.fill(include_str!("redis/fields.txt"));
    }
}

fn has_field_expiry(server: &Redis) -> bool {
    ["redis:8", "valkey/valkey:9"].contains(&server.image)
}

/// Many small keys.
fn many(server: &Redis, n: u32) {
    server.fill(&format!(
        "EVAL \"for i=1,{n} do redis.call('SET','k:'..i,string.rep('v',i%80)..i) end\" 0"
    ));
}

/// Puts a file into a store, as somebody else would.
#[expect(
    clippy::disallowed_methods,
    reason = "it stands for what is not ours: another tool's file, a damaged object"
)]
fn put(path: &std::path::Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
}

/// What a digest does not cover: groups of streams, functions, ends of keys.
fn beside_the_digest(server: &Redis) -> String {
    let groups = server.run("XINFO GROUPS stream\nXPENDING stream g1");
    let functions = match server.image {
        "redis:6" => String::new(),
        // In no order of their own.
        _ => server.run(
            "FUNCTION LIST LIBRARYNAME first WITHCODE\nFUNCTION LIST LIBRARYNAME second WITHCODE",
        ),
    };
    let ends = match server.image {
        "redis:6" => String::new(),
        _ => server.run("PEXPIRETIME ttl:far\nPEXPIRETIME ttl:hash\nPEXPIRETIME plain"),
    };
    format!("{groups}\n{functions}\n{ends}")
}
