//! The ways to back a MongoDB database up to an object store, and to bring it back.

use super::super::contest::Script::Shell;
use super::super::contest::{Chores, Contest, OURS, Peers, Target, Way};
use crate::hooks::{Hooks, mongodb::Mongodb};

const USER: &str = "root";
const PASSWORD: &str = "bench s3cret";

pub(in super::super) fn contest() -> Contest {
    let mut server = Mongodb.server();
    server.environment = vec![
        ("MONGO_INITDB_ROOT_USERNAME", USER.into()),
        ("MONGO_INITDB_ROOT_PASSWORD", PASSWORD.into()),
    ];
    Contest {
        title: "MongoDB",
        version: "6.0",
        // So that a size of one is half a million of them.
        row_bytes: 2147.0,
        unit: "documents in one collection",
        server,
        target: Target::Database,
        peers: Peers::Upstream,
        host: "HOST",
        login: vec![("MONGO_PASSWORD", PASSWORD.into())],
        settings,
        chores: CHORES,
        ways: &WAYS,
    }
}

fn settings(database: &str) -> Vec<(&'static str, String)> {
    vec![
        ("DB_NAME", database.into()),
        ("DB_USERNAME", USER.into()),
        ("DB_PASSWORD", PASSWORD.into()),
        // As the peers do; looking for it costs half a second on a server without.
        ("DB_TLS_MODE", "disable".into()),
        // Nothing here drops a database between two restores; the peers drop what they replace, too.
        ("RESTORE_DROP_EXISTING", "true".into()),
    ]
}

/// A tool that is logged in.
macro_rules! tool {
    ($program:literal) => {
        concat!(
            "printf 'password: \"%s\"\\n' \"$MONGO_PASSWORD\" >/scratch/login.yaml; ",
            $program,
            " --quiet --config=/scratch/login.yaml --host=$HOST --username=root --authenticationDatabase=admin "
        )
    };
}

const CHORES: Chores = Chores {
    fill: concat!(
        "cat >/scratch/big.awk <<'END'\n",
        include_str!("mongodb/big.awk"),
        "END\nawk -v n=$ROWS -f /scratch/big.awk >/scratch/big.json; ",
        tool!("mongoimport"),
        "--db=$DB --collection=big --numInsertionWorkers=2 /scratch/big.json"
    ),
    describe: "mongodump --version | sed -n 1p; ! command -v ferretdb >/dev/null || echo 'on FerretDB'",
    sum: concat!(
        "HOST=$ON; ",
        tool!("mongodump"),
        "--db=$OF --collection=big --out=- | bsondump --quiet | sort | tee >(wc -l >&2) | sha256sum"
    ),
    settle: "true",
    create_target: "true",
    drop_target: "true",
};

const WAYS: [Way; 3] = [
    Way {
        name: "`mongodump --archive --gzip` piped to the upload",
        key: "gzip",
        backup: Shell(concat!(
            tool!("mongodump"),
            "--db=$DB --archive --gzip | rclone rcat $KEY/d.archive.gz"
        )),
        restore: &[(
            "mongorestore --gzip",
            Shell(concat!(
                "rclone cat $KEY/d.archive.gz | { ",
                tool!("mongorestore"),
                "--drop --archive --gzip --nsFrom=\"$DB.*\" --nsTo=\"$TARGET.*\"; }"
            )),
        )],
    },
    Way {
        name: "`mongodump --archive \\| zstd -1` piped to the upload",
        key: "zstd",
        backup: Shell(concat!(
            tool!("mongodump"),
            "--db=$DB --archive | zstd -q -1 | rclone rcat $KEY/d.archive.zst"
        )),
        restore: &[],
    },
    OURS,
];
