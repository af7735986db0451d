//! The ways to back a MySQL or MariaDB database up to an object store, and to bring it back.

use super::super::contest::Script::Shell;
use super::super::contest::{Chores, Contest, OURS, Peers, Target, Way};
use crate::hooks::ServerSpec;

const PASSWORD: &str = "bench s3cret";
/// What a server of this size would have; that it loses what a crash takes is the same for everybody.
const TUNED: [&str; 7] = [
    "--innodb-buffer-pool-size=1G",
    "--innodb-log-file-size=512M",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-allowed-packet=64M",
    "--local-infile=1",
    "--skip-log-bin",
    "--skip-name-resolve",
];

/// What differs between the families.
pub(in super::super) struct Family {
    title: &'static str,
    version: &'static str,
    password: &'static str,
}

// Neither mydumper nor the client here can log in at 8.0 without TLS, and mydumper hangs on the 8.0 there is here.
pub(in super::super) const MYSQL: Family = Family {
    title: "MySQL",
    version: "5.7",
    password: "MYSQL_ROOT_PASSWORD",
};

pub(in super::super) const MARIADB: Family = Family {
    title: "MariaDB",
    version: "11.8",
    password: "MARIADB_ROOT_PASSWORD",
};

pub(in super::super) fn contest(family: &Family) -> Contest {
    Contest {
        title: family.title,
        version: family.version,
        row_bytes: 430.0,
        unit: "rows in one table",
        server: ServerSpec {
            environment: vec![(family.password, PASSWORD.into())],
            args: TUNED.map(str::to_owned).to_vec(),
            // The port opens once the first start is over; the images of MySQL here have no client to ask with.
            ready: vec!["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3306"],
        },
        target: Target::Database,
        peers: Peers::Service("by-hand-mysql"),
        host: "HOST",
        login: vec![("MYSQL_PWD", PASSWORD.into())],
        settings,
        chores: CHORES,
        ways: &WAYS,
    }
}

/// Nobody here encrypts: the other clients could not on every server.
fn settings(database: &str) -> Vec<(&'static str, String)> {
    vec![
        ("DB_NAME", database.into()),
        ("DB_USERNAME", "root".into()),
        ("DB_PASSWORD", PASSWORD.into()),
        ("DB_TLS_MODE", "disable".into()),
    ]
}

macro_rules! client {
    ($program:literal) => {
        concat!($program, " --host=$HOST --user=root --skip-ssl ")
    };
}

macro_rules! mydumper {
    ($program:literal) => {
        concat!(
            "printf '[client]\\nhost=%s\\nuser=root\\npassword=\"%s\"\\n' $HOST \"$MYSQL_PWD\" >/scratch/my.cnf; ",
            $program,
            " --defaults-file=/scratch/my.cnf --host=$HOST --user=root --threads=2 "
        )
    };
}

const CHORES: Chores = Chores {
    fill: concat!(
        client!("mariadb"),
        "-e \"create database $DB; create database $TARGET; drop database $TARGET\"; (echo \"set @rows = $ROWS;\"; cat <<'END'\n",
        include_str!("mysql/big.sql"),
        "END\n) | ",
        client!("mariadb"),
        "--default-character-set=utf8mb4 $DB >/dev/null"
    ),
    describe: concat!(
        client!("mariadb"),
        "-N -e \"select concat(version(), ', ', (data_length + index_length) div 1000000, ' MB') from information_schema.tables where table_schema = '$DB' and table_name = 'big'\""
    ),
    sum: concat!(
        "HOST=$ON; ",
        client!("mariadb"),
        "-N $OF -e \"select count(*), sum(crc32(concat_ws('|', id, account, created_at, amount, quantity, status, name, note, payload))) from big\""
    ),
    settle: "true",
    create_target: concat!(client!("mariadb"), "-e \"create database $TARGET\""),
    drop_target: concat!(client!("mariadb"), "-e \"drop database $TARGET\""),
};

const WAYS: [Way; 4] = [
    Way {
        name: "`mysqldump \\| gzip -6` to a file, then upload",
        key: "gzip",
        backup: Shell(concat!(
            client!("mariadb-dump"),
            "--single-transaction --quick --hex-blob $DB | gzip -6 >/scratch/d.sql.gz; rclone copyto /scratch/d.sql.gz $KEY/d.sql.gz; du -sb /scratch"
        )),
        restore: &[(
            "mysql",
            Shell(concat!(
                "rclone cat $KEY/d.sql.gz | gzip -d | ",
                client!("mariadb"),
                "$TARGET"
            )),
        )],
    },
    Way {
        name: "`mariadb-dump \\| zstd -1` piped to the upload",
        key: "zstd",
        backup: Shell(concat!(
            client!("mariadb-dump"),
            "--single-transaction --quick --hex-blob $DB | zstd -q -1 | rclone rcat $KEY/d.sql.zst"
        )),
        restore: &[(
            "mysql",
            Shell(concat!(
                "rclone cat $KEY/d.sql.zst | zstd -dq | ",
                client!("mariadb"),
                "$TARGET"
            )),
        )],
    },
    Way {
        name: "`mydumper --threads=2`, `zstd -1` of its files, then upload",
        key: "mydumper",
        // In ranges of rows, so that both threads have work; this mydumper knows no zstd of its own.
        backup: Shell(concat!(
            mydumper!("mydumper"),
            "--rows=100000 --database=$DB --outputdir=/scratch/d; \
             find /scratch/d -name '*.sql' -print0 | xargs -0 -P2 -n1 zstd -q -1 --rm; \
             rclone copy /scratch/d $KEY/d; du -sb /scratch"
        )),
        restore: &[(
            "myloader",
            Shell(concat!(
                "rclone copy $KEY/d /scratch/d; find /scratch/d -name '*.zst' -print0 | xargs -0 -P2 -n1 zstd -dq --rm; ",
                mydumper!("myloader"),
                "--directory=/scratch/d --database=$TARGET"
            )),
        )],
    },
    OURS,
];
