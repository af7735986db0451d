//! The ways to back a PostgreSQL database up to an object store, and to bring it back.

/// One contestant; scripts run in the peers' image, ours is the runner's own.
pub(super) struct Way {
    pub name: &'static str,
    /// Short, for `--only`, and its prefix in the bucket.
    pub key: &'static str,
    pub backup: Script,
    pub restore: &'static [(&'static str, Script)],
}

pub(super) enum Script {
    /// Bash, with `$DB`, `$TARGET`, `$KEY` (an rclone path without suffix) and `/scratch`.
    Shell(&'static str),
    /// The runner, with these settings.
    Runner(&'static [(&'static str, &'static str)]),
}

use Script::{Runner, Shell};

pub(super) const WAYS: [Way; 5] = [
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
    Way {
        name: "**Plan B**",
        key: "ours",
        backup: Runner(&[("OPERATION_TYPE", "backup")]),
        restore: &[
            (
                "no checks",
                Runner(&[
                    ("OPERATION_TYPE", "restore"),
                    ("RESTORE_VERIFY", "none"),
                    ("RESTORE_PRECHECK", "none"),
                ]),
            ),
            ("full checks", Runner(&[("OPERATION_TYPE", "restore")])),
        ],
    },
];
