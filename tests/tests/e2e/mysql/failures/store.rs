//! The store fails, for a while or for good.

use tests::{HttpProxy, Seat, Trouble, world};

use super::{Case, MARIADB, MYSQL};

fn proxy() -> HttpProxy {
    HttpProxy::start(world().minio().address(Seat::Host))
}

#[test]
fn a_completion_that_answers_200_with_an_error_is_no_success() {
    for image in [MYSQL, MARIADB] {
        let case = Case::big(image);
        let proxy = proxy();
        let error = Trouble::Answer(200, "InternalError");
        proxy.trouble("CompleteMultipartUpload", usize::MAX, error);
        let env = case.env_through(&proxy.address());
        let run = case.run("backup", env.with("STORAGE_TIMEOUT", "2s"));
        case.failed(run, 75, "store");
        case.left_nothing();
    }
}

#[test]
fn a_store_that_fails_for_a_while_costs_time_and_no_row() {
    let case = Case::big(MARIADB);
    let proxy = proxy();
    proxy.trouble("", 2, Trouble::Answer(503, "SlowDown"));
    proxy.trouble("UploadPart", 2, Trouble::CutRequest(1 << 20));
    let error = Trouble::Answer(200, "InternalError");
    proxy.trouble("CompleteMultipartUpload", 1, error);
    case.run(
        "backup",
        case.quiet().and(case.env_through(&proxy.address())),
    )
    .good();
    assert_eq!(proxy.n_troubles(), 5);
    case.is_whole();
    proxy.trouble("GetObject", 3, Trouble::CutAnswer(1_000_000));
    let target = case.target();
    let env = case.env_through(&proxy.address()).with("DB_NAME", &target);
    let restored = case.run("restore", case.quiet().and(env)).good();
    assert!(
        restored.stderr.contains("proven equal"),
        "{}",
        restored.stderr
    );
}
