//! Somebody ends the job.

use std::time::{Duration, Instant};

use tests::{HttpProxy, Running, Seat, Trouble, run_runner, spawn_runner, world};

use super::Case;

/// A backup in the middle of an upload whose next part stands still.
fn mid_upload(case: &Case) -> (HttpProxy, Running) {
    let proxy = HttpProxy::start(world().minio().address(Seat::Host));
    proxy.trouble("UploadPart", 1, Trouble::Stall);
    let run = spawn_runner(case.env_through(&proxy.address()), &["backup"]);
    proxy.wait_for_troubles(1);
    assert_eq!(case.bucket.open_uploads("").len(), 1);
    (proxy, run)
}

#[test]
fn a_signal_mid_upload_aborts_it_and_tells_the_callback_within_10_s() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let case = Case::big();
        let (_proxy, run) = mid_upload(&case);
        let start = Instant::now();
        run.signal(signal);
        let run = run.wait();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        let told = case.failed(run, code, "interrupted");
        assert!(told["message"].as_str().unwrap().contains(signal), "{told}");
        case.left_nothing();
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_database() {
    let case = Case::small();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let run = spawn_runner(case.env().with("DB_PORT", port.to_string()), &["backup"]);
    run.wait_for("trying again");
    run.signal("INT");
    let run = run.wait();
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    case.failed(run, 130, "interrupted");
    case.left_nothing();
}

#[test]
fn a_signal_ends_a_job_even_when_the_store_is_away() {
    let case = Case::big();
    let (proxy, run) = mid_upload(&case);
    proxy.trouble("", usize::MAX, Trouble::Stall);
    let start = Instant::now();
    run.signal("TERM");
    let run = run.wait();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    case.failed(run, 143, "interrupted");
    assert_eq!(case.bucket.manifests(), []);
}

#[test]
fn what_a_killed_job_leaves_is_no_backup_is_in_nobodys_way_and_is_pruned() {
    let case = Case::big();
    let (_proxy, run) = mid_upload(&case);
    run.signal("KILL");
    run.wait().ended(137);
    assert_eq!(case.bucket.manifests(), []);
    assert_eq!(case.bucket.open_uploads("").len(), 1);
    // The same path can be used again at once, and pruning spares what came of that.
    case.backed_up();
    let young = run_runner(case.quiet(), &["prune", "--json"]).good();
    assert_eq!(young.json()["aborted_uploads"], 0, "{}", young.stdout);
    let prune = ["prune", "--prune-older-than", "0s", "--json"];
    let pruned = run_runner(case.quiet(), &prune).good();
    assert_eq!(pruned.json()["aborted_uploads"], 1, "{}", pruned.stdout);
    assert_eq!(case.bucket.open_uploads(""), [""; 0]);
    let (_, manifest) = &case.bucket.manifests()[0];
    let backup_id = manifest["backup_id"].as_str().unwrap();
    let keys = case.bucket.keys();
    assert!(
        keys.iter().all(|key| key.contains(backup_id)
            || key.ends_with("/manifest.json")
            || key.ends_with("/RESTORE.md")),
        "{keys:?}"
    );
    case.is_whole();
}

#[test]
fn a_restore_that_is_stopped_leaves_no_half_database() {
    // The definitions are read before there are tables, the rows after.
    for object in ["schema.dump", "/data/"] {
        let case = Case::big();
        case.backed_up();
        let target = case.target();
        let proxy = HttpProxy::start(world().minio().address(Seat::Host));
        proxy.trouble(object, usize::MAX, Trouble::Stall);
        let env = case.env_through(&proxy.address()).with("DB_NAME", &target);
        let run = spawn_runner(env.with("RESTORE_PRECHECK", "none"), &["restore"]);
        proxy.wait_for_troubles(1);
        assert!(case.exists(&target), "its staging database is there");
        run.signal("TERM");
        case.failed(run.wait(), 143, "interrupted");
        assert!(!case.exists(&target), "stopped at {object}");
    }
}
