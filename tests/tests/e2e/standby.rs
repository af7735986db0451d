//! A hot standby as the source, so that a backup costs the primary nothing.

use tests::{Seat, run_image, world};

use crate::compare::Content;
use crate::kit::{fresh, reason, shop};

/// Beside the primary, in its container.
const PORT: u16 = 5433;
const START: &str = r#"
as() { su postgres -c "PATH='$PATH' $*"; }
as pg_basebackup --pgdata=/tmp/standby --write-recovery-conf --checkpoint=fast
as pg_ctl --pgdata=/tmp/standby --options="'-p 5433 -c fsync=off -c max_connections=200'" --log=/tmp/standby.log --wait start
"#;

#[test]
fn a_standby_is_backed_up_but_not_restored_into() {
    let primary = world().own_postgres(17, &[]);
    let database = shop(&primary);
    primary.psql(
        &database,
        "create unlogged table volatile as select 1 as id",
    );
    primary.exec(&["sh", "-ec", START]);
    let minio = world().minio();
    let bucket = minio.create_bucket("standby");
    let image = world().image("postgresql", 17);
    let run = |database: &str, port: &str, operation: &str| {
        let env = primary
            .env(database, Seat::Container)
            .and(minio.env(&bucket, Seat::Container))
            .with("DB_PORT", port)
            .with("LOG_FORMAT", "json")
            .with("BACKUP_PATH", "b");
        run_image(&image, env, &["--read-only"], &[operation])
    };
    let standby = PORT.to_string();
    let said = run(&database, &standby, "backup").good().stderr;
    assert!(
        said.contains("volatile"),
        "no word of the rows that a standby cannot read: {said}"
    );
    let target = fresh("from-standby");
    let refused = run(&target, &standby, "restore").ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("standby"), "{message}");

    run(&target, "5432", "restore").good();
    assert_eq!(primary.psql(&target, "select count(*) from volatile"), "0");
    primary.psql(&target, "insert into volatile values (1)");
    Content::of(&primary, &database).assert_same(&Content::of(&primary, &target));
}
