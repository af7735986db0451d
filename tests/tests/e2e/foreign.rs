//! Dumps that stock tools made, wherever they lie.

use std::io::Write;

use tests::{Seat, world};

use crate::compare::{Content, client};
use crate::kit::{Directory, assert_no_leftovers, exists, fresh, reason, restore, shop};

fn piped(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(input).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "{program} {} <'{}' >'{}'",
        args.join(" "),
        file.path().display(),
        out.path().display()
    );
    tests::spawn_program("sh", &["-ec", &script]).wait().good();
    std::fs::read(out.path()).unwrap()
}

fn put(store: &Directory, name: &str, bytes: &[u8]) {
    let path = store.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn stock_dumps_restore_from_a_directory_and_from_minio() {
    let server = world().postgres(17);
    let database = shop(server);
    let before = Content::of(server, &database);
    let scratch = Directory::new();
    let file = scratch.path().join("dump");
    let dump = |format: &str| {
        let args = [format, "--file", file.to_str().unwrap()];
        client(server, server, "pg_dump", &database, &args);
        std::fs::read(&file).unwrap()
    };
    let (custom, tar, sql) = (
        dump("--format=custom"),
        dump("--format=tar"),
        dump("--format=plain"),
    );
    let dumps = [
        ("shop.dump", custom.clone()),
        ("shop.tar", tar),
        ("old/shop.sql", sql.clone()),
        ("shop.sql.gz", piped("gzip", &["-c"], &sql)),
        ("shop.dump.gz", piped("gzip", &["-c"], &custom)),
        ("shop.sql.zst", runner_zstd(&sql)),
    ];
    let (store, minio) = (Directory::new(), world().minio());
    let bucket = minio.create_bucket("foreign");
    for (name, bytes) in dumps {
        put(&store, name, &bytes);
        bucket.put(name, bytes);
        for env in [store.env(), minio.env(&bucket, Seat::Host)] {
            let target = fresh("foreign");
            restore(server, &target, env.with("BACKUP_PATH", name)).good();
            before.assert_same(&Content::of(server, &target));
            assert_no_leftovers(server, &target);
        }
    }
}

/// A stored block of zstd: a frame that any decoder takes, made without one.
fn runner_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    let blocks: Vec<&[u8]> = bytes.chunks(100_000).collect();
    for (n, block) in blocks.iter().enumerate() {
        let last = u32::from(n + 1 == blocks.len());
        let header = (u32::try_from(block.len()).unwrap() << 3) | last;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(*block);
    }
    frame
}

#[test]
fn a_dump_that_was_cut_is_refused_and_leaves_no_database() {
    let server = world().postgres(17);
    let database = shop(server);
    let sql = client(server, server, "pg_dump", &database, &[]).into_bytes();
    let gz = piped("gzip", &["-c"], &sql);
    let custom = {
        let scratch = Directory::new();
        let file = scratch.path().join("dump");
        client(
            server,
            server,
            "pg_dump",
            &database,
            &["-Fc", "-f", file.to_str().unwrap()],
        );
        std::fs::read(file).unwrap()
    };
    // At a statement's end, where psql would not notice.
    let text = String::from_utf8(sql.clone()).unwrap();
    let at_statement = text.find("ALTER TABLE ONLY public.orders").unwrap();
    let cuts = [
        ("cut.sql", sql[..at_statement].to_vec()),
        ("half.sql", sql[..sql.len() / 2].to_vec()),
        ("cut.sql.gz", gz[..gz.len() - 9].to_vec()),
        ("half.sql.gz", gz[..gz.len() / 2].to_vec()),
        ("inner.sql.gz", piped("gzip", &["-c"], &sql[..at_statement])),
        ("half.dump", custom[..custom.len() / 2].to_vec()),
        ("tail.dump", custom[..custom.len() - 1].to_vec()),
    ];
    let store = Directory::new();
    for (name, bytes) in cuts {
        put(&store, name, &bytes);
        let target = fresh("cut");
        let run = restore(server, &target, store.env().with("BACKUP_PATH", name)).ended(1);
        let (_, message) = reason(&run);
        assert!(message.contains("as before"), "{name}: {message}");
        assert!(!exists(server, &target), "{name}");
        assert_no_leftovers(server, &target);
    }
}
