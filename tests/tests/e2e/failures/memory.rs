//! Memory is bounded by the workers, not by the table.

use tests::{Seat, run_image, run_runner, world};

use super::Case;

#[test]
fn a_table_larger_than_memory_is_backed_up_and_restored_in_a_hardened_container() {
    let case = Case::small();
    let rows = "create table large as select g as id, md5(g::text) || md5('a' || g) as text from generate_series(1, 3000000) g";
    case.server.psql(&case.database, rows);
    let size = format!(
        "select pg_table_size('large') > 300000000 from pg_database where datname = '{}'",
        case.database
    );
    assert_eq!(case.server.psql(&case.database, &size), "t");
    let image = world().image("postgresql", 17);
    let env = case
        .server
        .env(&case.database, Seat::Container)
        .and(world().minio().env(&case.bucket, Seat::Container))
        .with("BACKUP_PATH", super::PATH)
        .with("PARALLELISM", "2");
    let hardened = [
        "--memory=128m",
        "--memory-swap=128m",
        "--read-only",
        "--cap-drop=ALL",
        "--user=10001",
    ];
    run_image(&image, &env, &hardened, &["backup"]).good();
    let target = case.target();
    run_image(
        &image,
        env.with("DB_NAME", &target),
        &hardened,
        &["restore"],
    )
    .good();
    let sql = "select count(*), sum(id), sum(hashtext(text)) from large";
    let (restored, original) = (
        case.server.psql(&target, sql),
        case.server.psql(&case.database, sql),
    );
    assert_eq!(restored, original);
    run_runner(case.quiet(), &["verify"]).good();
    for database in [&target, &case.database] {
        case.server
            .psql("postgres", &format!("drop database \"{database}\""));
    }
}
