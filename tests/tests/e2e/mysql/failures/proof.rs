//! What stands in the target is not what was loaded: the proof notices.

use tests::{HttpProxy, Receiver, Seat, Trouble, world};

use super::{Case, MARIADB, MYSQL};

/// Restores, and runs a statement in the database that is filled, when its rows are there and not yet proven.
fn restored_with(case: &mut Case, target: &str, verify: &str, statement: &str) -> tests::Run {
    case.receiver = Receiver::start();
    let proxy = HttpProxy::start(world().minio().address(Seat::Host));
    // A table of its own artifact, while the others come in.
    proxy.trouble("/data/medium", usize::MAX, Trouble::Stall);
    let env = case.env_through(&proxy.address()).with("DB_NAME", target);
    let env = env
        .with("RESTORE_DROP_EXISTING", "true")
        .with("RESTORE_PRECHECK", "none")
        .with("RESTORE_VERIFY", verify);
    let run = case.start("restore", env);
    proxy.wait_for_troubles(1);
    let databases = case.databases(target);
    // The one that is filled is the staging database, where there is one.
    let filled = databases.lines().last().unwrap();
    let n_rows = "select count(*) from orders";
    while run.is_running() && case.server.try_sql(filled, n_rows).as_deref() != Ok("3") {}
    case.server.sql(filled, statement);
    proxy.calm();
    run.wait()
}

fn a_row_that_changed_is_noticed(image: &'static str) {
    let mut case = Case::medium(image);
    case.backed_up();
    let update = "update orders set text = 'won' where id = 1";
    for statement in [
        update,
        "delete from orders where id = 3",
        "insert into orders values (4, 'four')",
        // As many rows, and as many of each value in each column.
        "update orders set text = case id when 1 then 'two' else 'one' end where id < 3",
    ] {
        let target = case.target();
        let run = restored_with(&mut case, &target, "full", statement);
        let message = case.failed(run, 1, "integrity");
        assert!(message.contains("orders"), "{statement}: {message}");
        assert_eq!(case.databases(&target), "", "{statement}: {message}");
    }
    let target = case.filled_target();
    let run = restored_with(&mut case, &target, "full", update);
    let message = case.failed(run, 1, "integrity");
    assert!(message.contains("is as it was"), "{message}");
    case.is_as_it_was(&target);
    let run = restored_with(
        &mut case,
        &target,
        "counts",
        "delete from orders where id = 3",
    );
    case.failed(run, 1, "integrity");
    case.is_as_it_was(&target);
    // Nobody asked for more.
    restored_with(&mut case, &target, "counts", update).good();
    let text = case
        .server
        .sql(&target, "select text from orders where id = 1");
    assert_eq!(text, "won");
}

#[test]
fn a_row_that_changed_before_the_proof_is_noticed_on_mysql() {
    a_row_that_changed_is_noticed(MYSQL);
}

#[test]
fn a_row_that_changed_before_the_proof_is_noticed_on_mariadb() {
    a_row_that_changed_is_noticed(MARIADB);
}
