//! The ways to back a PostgreSQL database up to an object store, and to bring it back.

use super::super::contest::Script::Shell;
use super::super::contest::{Chores, Contest, OURS, Peers, Target, Way};
use crate::hooks::postgresql::{Postgresql, environment};
use crate::hooks::{Hooks, ServerSpec};

const TUNED: [&str; 8] = [
    "-c",
    "shared_buffers=1GB",
    "-c",
    "maintenance_work_mem=256MB",
    "-c",
    "max_wal_size=8GB",
    "-c",
    "fsync=off",
];

pub(in super::super) fn contest() -> Contest {
    let login = environment("").into_iter().filter_map(|(name, value)| {
        let name = match name {
            "DB_USERNAME" => "PGUSER",
            "DB_PASSWORD" => "PGPASSWORD",
            _ => return None,
        };
        Some((name, value))
    });
    Contest {
        title: "PostgreSQL",
        version: "17",
        row_bytes: 341.0,
        unit: "rows in one table",
        server: ServerSpec {
            args: TUNED.map(str::to_owned).to_vec(),
            ..Postgresql.server()
        },
        target: Target::Database,
        peers: Peers::Upstream,
        host: "PGHOST",
        login: login.collect(),
        settings: environment,
        chores: CHORES,
        ways: &WAYS,
    }
}

const CHORES: Chores = Chores {
    fill: concat!(
        "psql -qX -d postgres -c \"create database $DB\"; psql -qX -v ON_ERROR_STOP=1 -v rows=$ROWS $DB <<'END'\n",
        include_str!("postgresql/big.sql"),
        "END\n"
    ),
    describe: "psql -qXAt $DB -c \"select current_setting('server_version') || ', ' || pg_size_pretty(pg_table_size('big'))\"",
    sum: "psql -h $ON -qXAt $OF -c 'select count(*), sum(hashtextextended(big::text, 0)) from big'",
    settle: "psql -qX -d postgres -c checkpoint",
    create_target: "psql -qX -d postgres -c \"create database $TARGET\" -c checkpoint",
    drop_target: "psql -qX -d postgres -c \"drop database $TARGET\"",
};

const WAYS: [Way; 5] = [
    Way {
        name: "`pg_dump \\| gzip -6` to a file, then upload",
        key: "gzip",
        backup: Shell(
            "pg_dump $DB | gzip -6 >/scratch/d.sql.gz; rclone copyto /scratch/d.sql.gz $KEY/d.sql.gz; du -sb /scratch",
        ),
        restore: &[(
            "psql",
            Shell(
                "rclone cat $KEY/d.sql.gz | gzip -d | psql -qX -v ON_ERROR_STOP=1 -o /dev/null $TARGET",
            ),
        )],
    },
    Way {
        name: "`pg_dump -Fc` piped to the upload",
        key: "custom",
        backup: Shell("pg_dump -Fc $DB | rclone rcat $KEY/d.dump"),
        restore: &[(
            "pg_restore -j2",
            Shell(
                "rclone copyto $KEY/d.dump /scratch/d.dump; pg_restore -j2 --exit-on-error -d $TARGET /scratch/d.dump",
            ),
        )],
    },
    Way {
        name: "`pg_dump \\| zstd -1` piped to the upload",
        key: "zstd",
        backup: Shell("pg_dump $DB | zstd -q -1 | rclone rcat $KEY/d.sql.zst"),
        restore: &[(
            "psql",
            Shell(
                "rclone cat $KEY/d.sql.zst | zstd -dq | psql -qX -v ON_ERROR_STOP=1 -o /dev/null $TARGET",
            ),
        )],
    },
    Way {
        name: "`pg_dump -Fd -j2` to files, then upload",
        key: "directory",
        backup: Shell(
            "pg_dump -Fd -j2 -f /scratch/d $DB; rclone copy /scratch/d $KEY/d; du -sb /scratch",
        ),
        restore: &[(
            "pg_restore -j2",
            Shell(
                "rclone copy $KEY/d /scratch/d; pg_restore -j2 --exit-on-error -d $TARGET /scratch/d",
            ),
        )],
    },
    OURS,
];
