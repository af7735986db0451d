//! The ways to back a Redis or Valkey server up to an object store, and to bring it back.

use super::super::contest::Script::Shell;
use super::super::contest::{Chores, Contest, OURS, Peers, Target, Way};
use crate::hooks::ServerSpec;

const PASSWORD: &str = "bench s3cret";

/// What differs between the families.
pub(in super::super) struct Family {
    title: &'static str,
    version: &'static str,
}

pub(in super::super) const REDIS: Family = Family {
    title: "Redis",
    version: "7",
};

pub(in super::super) const VALKEY: Family = Family {
    title: "Valkey",
    version: "8",
};

pub(in super::super) fn contest(family: &Family) -> Contest {
    // Saves now and then, as servers do unless told otherwise.
    let args = ["--requirepass", PASSWORD, "--enable-debug-command", "yes"];
    Contest {
        title: family.title,
        version: family.version,
        // So that a size of one is a million of them.
        row_bytes: 1074.0,
        unit: "small keys",
        server: ServerSpec {
            environment: vec![],
            args: args.map(str::to_owned).to_vec(),
            ready: vec!["redis-cli", "ping"],
        },
        target: Target::Server,
        peers: Peers::Upstream,
        host: "HOST",
        login: vec![("REDISCLI_AUTH", PASSWORD.into())],
        settings: |_| vec![("DB_PASSWORD", PASSWORD.into())],
        chores: CHORES,
        ways: &WAYS,
    }
}

const CHORES: Chores = Chores {
    fill: concat!(
        "cat >/scratch/keys.awk <<'END'\n",
        include_str!("redis/keys.awk"),
        "END\nawk -v n=$ROWS -f /scratch/keys.awk >/scratch/commands; redis-cli -h $HOST --pipe </scratch/commands; \
         rclone copyto /scratch/commands s3:bench/commands"
    ),
    describe: "redis-cli -h $HOST info | tr -d '\\r' | awk -F: '/^(redis|valkey)_version|^used_memory_human/ {print $2}' | paste -sd, ",
    sum: "redis-cli -h $ON dbsize; redis-cli -h $ON debug digest",
    // So that it does not save while it is measured.
    settle: "redis-cli -h $HOST save >/dev/null",
    create_target: "redis-cli -h $TARGET_HOST flushall >/dev/null",
    drop_target: "redis-cli -h $TARGET_HOST flushall >/dev/null",
};

/// An RDB file can be put in place only where one gets at the server's disk; from elsewhere there are commands.
const COMMANDS: &[(&str, super::super::contest::Script)] = &[(
    "the same as commands, redis-cli --pipe",
    Shell("rclone cat s3:bench/commands | redis-cli -h $TARGET_HOST --pipe"),
)];

const WAYS: [Way; 3] = [
    Way {
        name: "`redis-cli --rdb` to a file, `gzip -6`, then upload",
        key: "gzip",
        backup: Shell(
            "redis-cli -h $HOST --rdb /scratch/d.rdb >/dev/null; gzip -6 /scratch/d.rdb; rclone copyto /scratch/d.rdb.gz $KEY/d.rdb.gz; du -sb /scratch",
        ),
        restore: COMMANDS,
    },
    Way {
        name: "`redis-cli --rdb \\| zstd -1` piped to the upload",
        key: "zstd",
        backup: Shell("redis-cli -h $HOST --rdb - | zstd -q -1 | rclone rcat $KEY/d.rdb.zst"),
        restore: &[],
    },
    OURS,
];
