//! The store fails, for a while or for good.

use std::time::Duration;

use tests::{Hitch, HttpProxy, Seat, TcpProxy, Trouble, run_image, run_runner, world};

use super::Case;

fn proxy() -> HttpProxy {
    HttpProxy::start(world().minio().address(Seat::Host))
}

#[test]
fn a_store_that_answers_503_for_a_while_is_retried() {
    let case = Case::big();
    let proxy = proxy();
    proxy.trouble("", 3, Trouble::Answer(503, "SlowDown"));
    proxy.trouble("UploadPart", 2, Trouble::Answer(503, "SlowDown"));
    proxy.trouble(
        "CompleteMultipartUpload",
        1,
        Trouble::Answer(500, "InternalError"),
    );
    run_runner(case.env_through(&proxy.address()), &["backup"]).good();
    assert_eq!(proxy.n_troubles(), 6);
    assert_eq!(case.receiver.event()["status"], "success");
    case.is_whole();
}

#[test]
fn a_store_that_keeps_answering_503_fails_the_job_after_its_timeout() {
    for operation in ["", "UploadPart"] {
        let case = Case::big();
        let proxy = proxy();
        proxy.trouble(operation, usize::MAX, Trouble::Answer(503, "SlowDown"));
        let env = case
            .env_through(&proxy.address())
            .with("STORAGE_TIMEOUT", "2s");
        let run = run_runner(env, &["backup"]);
        assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
        case.failed(run, 75, "store");
        case.left_nothing();
    }
}

#[test]
fn a_completion_that_answers_200_with_an_error_is_no_success() {
    let case = Case::big();
    let proxy = proxy();
    let error = Trouble::Answer(200, "InternalError");
    proxy.trouble("CompleteMultipartUpload", usize::MAX, error);
    let env = case
        .env_through(&proxy.address())
        .with("STORAGE_TIMEOUT", "2s");
    case.failed(run_runner(env, &["backup"]), 75, "store");
    case.left_nothing();
}

#[test]
fn a_completion_that_answers_200_with_an_error_once_is_retried() {
    let case = Case::big();
    let proxy = proxy();
    let error = Trouble::Answer(200, "InternalError");
    proxy.trouble("CompleteMultipartUpload", 1, error);
    run_runner(case.env_through(&proxy.address()), &["backup"]).good();
    case.is_whole();
}

#[test]
fn a_connection_reset_mid_part_is_retried_with_the_same_bytes() {
    let case = Case::big();
    let proxy = proxy();
    proxy.trouble("UploadPart", 3, Trouble::CutRequest(1 << 20));
    proxy.trouble("UploadPart", 1, Trouble::CutAnswer(0));
    proxy.trouble("CompleteMultipartUpload", 1, Trouble::CutAnswer(0));
    run_runner(case.env_through(&proxy.address()), &["backup"]).good();
    assert_eq!(proxy.n_troubles(), 5);
    case.is_whole();
    assert_eq!(case.bucket.open_uploads(""), [""; 0]);
}

#[test]
fn a_connection_reset_mid_download_is_resumed() {
    let case = Case::big();
    case.backed_up();
    let proxy = proxy();
    let env = case.env_through(&proxy.address());
    proxy.trouble("GetObject", 4, Trouble::CutAnswer(1_000_000));
    proxy.trouble("GetObject", 2, Trouble::Answer(503, "SlowDown"));
    run_runner(case.quiet().and(env.clone()), &["verify"]).good();
    proxy.trouble("GetObject", 4, Trouble::CutAnswer(1_500_001));
    let target = case.target();
    run_runner(env.with("DB_NAME", &target), &["restore"]).good();
    assert!(proxy.n_troubles() >= 8, "{}", proxy.n_troubles());
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

#[test]
fn a_full_disk_fails_the_job_and_is_named() {
    let case = Case::big();
    let env = case
        .server
        .env(&case.database, Seat::Container)
        .with("STORAGE_PATH", "/backups")
        .with("COMPRESSION", "none");
    let disk = ["--read-only", "--tmpfs=/backups:size=8m,mode=1777"];
    let run = run_image(&world().image("postgresql", 17), env, &disk, &["backup"]).ended(75);
    let told = run.last_words()["error"].clone();
    assert_eq!(told["kind"], "store");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("No space left"), "{message}");
}

#[test]
fn a_missing_bucket_that_is_not_to_be_made_fails_before_the_database_is_touched() {
    let mut case = Case::small();
    case.bucket = world().minio().bucket(world().unique("fail-missing"));
    let (host, port) = case.server.address(Seat::Host);
    let proxy = TcpProxy::start(format!("{host}:{port}"));
    proxy.set(Hitch::None);
    let env = case.env().with("DB_PORT", proxy.port().to_string());
    let run = run_runner(env.with("STORAGE_CREATE_BUCKET", "false"), &["backup"]);
    let told = case.failed(run, 1, "not_found");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains(&case.bucket.name),
        "{told}"
    );
    assert_eq!(proxy.n_connections(), 0);
    assert_eq!(case.bucket.keys(), [""; 0]);
    case.backed_up();
    case.is_whole();
}

#[test]
fn wrong_keys_of_the_store_are_denied_at_once() {
    for (name, value) in [
        ("STORAGE_ACCESS_KEY", "nobody"),
        ("STORAGE_SECRET_KEY", "Wr0ngButS3cret"),
    ] {
        let case = Case::small();
        let run = run_runner(case.env().with(name, value), &["backup"]);
        assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
        assert!(!run.stderr.contains("Wr0ngButS3cret"), "{}", run.stderr);
        case.failed(run, 1, "denied");
        case.left_nothing();
    }
}

#[test]
fn a_callback_that_cannot_be_delivered_never_turns_a_good_backup_into_a_failure() {
    let case = Case::small();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let env = case
        .quiet()
        .with("CALLBACK_URL", format!("http://{address}/hook/s3cretPath"));
    let run = run_runner(env, &["backup"]).good();
    assert!(
        run.stderr.contains("callback could not be delivered"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("s3cretPath"), "{}", run.stderr);
    case.is_whole();
}
