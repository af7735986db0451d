//! Every codec to every store, by a process and by a container that may do next to nothing.

use tests::{Env, Seat, run_image, world};

use crate::compare::Content;
use crate::kit::{Directory, backup, fresh, keys_below, restore, sample};

pub(crate) const RECIPIENT: &str = "age12ycu4zrlqujtw3xex9yvyr3qvdpxtm5gvzheashkrmqy856kcd9sht4dj7";
pub(crate) const IDENTITY: &str =
    "AGE-SECRET-KEY-1YNYUYSM0X7YXXQ2EPK8YQE0URRMURRTX30EKM2RSN0JTAC0SWXFQNF3C9D";
const COMPRESSIONS: [&str; 4] = ["zstd", "gzip", "lz4", "none"];

/// What a job gets in production: nothing to write to, no privileges, a user that no file knows, little memory.
const HARDENED: [&str; 6] = [
    "--read-only",
    "--user=12345",
    "--memory=256m",
    "--memory-swap=256m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
];

/// Settings for the backup, and for the restore.
fn ciphers() -> [(&'static str, Env, Env); 3] {
    let env = |key: &str, value: &str| Env::default().with(key, value);
    let passphrase = env("ENCRYPTION_PASSPHRASE", "correct horse \u{2603} 'battery\"");
    [
        ("plain", Env::default(), Env::default()),
        (
            "recipient",
            env("ENCRYPTION_RECIPIENTS", RECIPIENT),
            env("ENCRYPTION_IDENTITY", IDENTITY),
        ),
        ("passphrase", passphrase.clone(), passphrase),
    ]
}

#[test]
fn sakila_survives_every_codec_in_a_directory() {
    let server = world().postgres(17);
    let database = sample(server, "sakila");
    let before = Content::of(server, &database);
    let store = Directory::new();
    for compression in COMPRESSIONS {
        for (cipher, seal, open) in ciphers() {
            let path = format!("{compression}/{cipher}");
            let env = store.env().with("BACKUP_PATH", &path).and(&seal);
            backup(server, &database, env.with("COMPRESSION", compression));
            let restored = fresh("sakila-restored");
            let env = store.env().with("BACKUP_PATH", &path).and(&open);
            restore(server, &restored, env).good();
            before.assert_same(&Content::of(server, &restored));
        }
    }
}

#[test]
fn chinook_survives_every_codec_in_minio_by_a_container_without_rights_or_disk() {
    let server = world().postgres(17);
    let database = sample(server, "chinook");
    let before = Content::of(server, &database);
    let minio = world().minio();
    let bucket = minio.create_bucket("matrix");
    let image = world().image("postgresql", 17);
    let seat = Seat::Container;
    let run = |database: &str, operation: &str, env: Env| {
        let env = server
            .env(database, seat)
            .and(minio.env(&bucket, seat))
            .with("PARALLELISM", "2")
            .and(env);
        run_image(&image, env, &HARDENED, &[operation]).good();
    };
    for compression in COMPRESSIONS {
        for (cipher, seal, open) in ciphers() {
            let path = format!("{compression}/{cipher}");
            let place = Env::default().with("BACKUP_PATH", &path);
            let seal = seal.with("COMPRESSION", compression);
            run(&database, "backup", place.clone().and(seal));
            assert!(keys_below(&bucket, &path).contains(&format!("{path}/manifest.json")));
            let restored = fresh("chinook-restored");
            run(&restored, "restore", place.and(open));
            before.assert_same(&Content::of(server, &restored));
        }
    }
}

#[test]
fn the_zoo_fits_a_container_without_rights_or_disk() {
    let server = world().postgres(15);
    let database = server.create_database("zoo");
    crate::zoo::fill(server, &database);
    let before = Content::of(server, &database);
    let minio = world().minio();
    let bucket = minio.create_bucket("zoo");
    let image = world().image("postgresql", 15);
    let env = minio.env(&bucket, Seat::Container).with("BACKUP_PATH", "b");
    let restored = fresh("zoo-restored");
    for (database, operation) in [(&database, "backup"), (&restored, "restore")] {
        let env = server.env(database, Seat::Container).and(&env);
        run_image(&image, env, &HARDENED, &[operation]).good();
    }
    before.assert_same(&Content::of(server, &restored));
}

#[test]
fn the_zoo_of_mysql_and_mariadb_fits_a_container_without_rights_or_disk() {
    let minio = world().minio();
    let bucket = minio.create_bucket("mysql-zoo");
    let seat = Seat::Container;
    for image in ["mysql:8.0", "mariadb:10.11"] {
        let server = world().mysql(image);
        let database = crate::mysql::zoo(server);
        let before = server.dump(&database, &[]);
        let (engine, version) = image.split_once(':').unwrap();
        let runner = world().image(engine, version);
        let restored = fresh("zoo-restored");
        for (database, operation) in [(&database, "backup"), (&restored, "restore")] {
            let env = server.env_at(database, seat).and(minio.env(&bucket, seat));
            let env = env.with("BACKUP_PATH", engine);
            run_image(&runner, env, &HARDENED, &[operation]).good();
        }
        crate::mysql::assert_same(&before, &server.dump(&restored, &[]));
    }
}

#[test]
fn other_encodings_and_locales_come_back() {
    let server = world().postgres(17);
    let store = Directory::new();
    let options = [
        "template template0 encoding 'LATIN1' locale 'C'",
        "template template0 encoding 'SQL_ASCII' locale 'C'",
        "template template0 encoding 'UTF8' locale_provider icu icu_locale 'de-DE' icu_rules '&V << w <<< W'",
        "template template0 encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'",
        "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'de_DE.utf8'",
    ];
    for (n, options) in options.iter().enumerate() {
        let database = fresh("encoded");
        server.psql(
            "postgres",
            &format!("create database \"{database}\" {options}"),
        );
        // Bytes that are no UTF-8, and characters of Latin-1.
        let bytes = if n == 1 { "\\xfffe80c328" } else { "\\xe9fc" };
        let text = match n {
            0 | 1 => format!("convert_from('{bytes}', getdatabaseencoding())"),
            _ => "U&'\\00e9 \\+01F980'".to_owned(),
        };
        crate::compare::script(
            server,
            &database,
            &format!(
                "create extension hstore;
                 create table bin (id int, t text); create table txt (id int, t text, h hstore);
                 insert into bin select i, {text} from generate_series(1, 10) i;
                 insert into txt select i, t, hstore('k', t) from bin, generate_series(1, 2) i;
                 create view v as select * from bin where t <> {text};
                 comment on table bin is 'caf\u{e9}';
                 select lo_create(5); comment on large object 5 is 'caf\u{e9}'"
            ),
        );
        let hex = "select md5(string_agg(encode(convert_to(t, getdatabaseencoding()), 'hex'), ',')) from txt";
        let path = format!("b{n}");
        backup(server, &database, store.env().with("BACKUP_PATH", &path));
        let restored = fresh("encoded-restored");
        restore(server, &restored, store.env().with("BACKUP_PATH", &path)).good();
        if n != 1 {
            let before = Content::of(server, &database);
            before.assert_same(&Content::of(server, &restored));
        }
        assert_eq!(server.psql(&database, hex), server.psql(&restored, hex));
    }
}
