//! What is wrong is said at once, all of it, before anything is touched.

use tests::{Seat, TcpProxy, run_runner, world};

use super::Case;

#[test]
fn every_problem_of_a_configuration_is_told_at_once_and_nothing_is_connected_to() {
    let case = Case::small();
    let (host, port) = case.server.address(Seat::Host);
    let database = TcpProxy::start(format!("{host}:{port}"));
    let store = TcpProxy::start(world().minio().address(Seat::Host));
    let env = case
        .env_through(&format!("127.0.0.1:{}", store.port()))
        .with("DB_PORT", database.port().to_string())
        .with("PARALLELISM", "many")
        .with("COMPRESSION", "zip")
        .with("BACKUP_PATH", "../elsewhere")
        .with("STORAGE_TIMEOUT", "soon")
        .with("ENCRYPTION_RECIPIENT", "age1typo")
        .with("DB_TLS_MODE", "maybe");
    let told = case.failed(run_runner(&env, &["backup"]), 1, "config");
    let message = told["message"].as_str().unwrap();
    for name in [
        "PARALLELISM",
        "COMPRESSION",
        "BACKUP_PATH",
        "STORAGE_TIMEOUT",
        "ENCRYPTION_RECIPIENT",
        "DB_TLS_MODE",
    ] {
        assert!(message.contains(name), "{name} in {message}");
    }
    assert_eq!((database.n_connections(), store.n_connections()), (0, 0));
    case.left_nothing();
}

#[test]
fn an_operation_that_is_none_exits_1_before_any_connection() {
    let case = Case::small();
    let (host, port) = case.server.address(Seat::Host);
    let database = TcpProxy::start(format!("{host}:{port}"));
    let env = case.env().with("DB_PORT", database.port().to_string());
    let told = case.failed(
        run_runner(env.with("OPERATION_TYPE", "nonsense"), &[]),
        1,
        "config",
    );
    assert!(
        told["message"].as_str().unwrap().contains("nonsense"),
        "{told}"
    );
    assert_eq!(database.n_connections(), 0);
    case.left_nothing();
}

#[test]
fn a_path_that_holds_a_complete_backup_is_refused_before_the_database_is_asked() {
    let case = Case::small();
    case.backed_up();
    let before = case.bucket.list();
    let (host, port) = case.server.address(Seat::Host);
    let database = TcpProxy::start(format!("{host}:{port}"));
    let env = case.env().with("DB_PORT", database.port().to_string());
    case.failed(run_runner(env, &["backup"]), 1, "unfit");
    assert_eq!(database.n_connections(), 0);
    assert_eq!(case.bucket.list(), before);
}
