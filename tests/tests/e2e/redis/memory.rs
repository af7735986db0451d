//! Memory is bounded, whatever is in a value.

use tests::{Seat, run_image, world};

use super::server;

#[test]
fn a_value_larger_than_memory_comes_back_in_a_hardened_container() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    // A string that is stored as it is; others are held whole.
    source.fill("CONFIG SET rdbcompression no");
    source.fill(
        "EVAL \"math.randomseed(7) local t={} for i=1,65536 do t[i]=string.char(math.random(0,255)) end \
         local block=table.concat(t) redis.call('SET','huge',string.rep(block,3200)..'end','EX',90000) redis.call('SET','small',1)\" 0",
    );
    assert_eq!(source.run("STRLEN huge"), (3200 * 65536 + 3).to_string());
    let minio = world().minio();
    let bucket = minio.create_bucket("huge");
    let env = |server: &tests::Redis| {
        let env = minio.env(&bucket, Seat::Container);
        env.with("DB_HOST", server.name())
            .with("BACKUP_PATH", "b")
            .with("PARALLELISM", "2")
            .with("LOG_FORMAT", "json")
    };
    let hardened = [
        "--memory=128m",
        "--memory-swap=128m",
        "--read-only",
        "--cap-drop=ALL",
        "--user=10001",
    ];
    let image = world().image("redis", 7);
    run_image(&image, env(&source), &hardened, &["backup"]).good();
    run_image(&image, env(&target), &hardened, &["restore"]).good();
    assert_eq!(source.digest(), target.digest());
}
