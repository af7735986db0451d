//! The ground that the other tests stand on.

use tests::{Seat, client_version, run_image, spawn_program, world};

#[test]
fn every_version_of_postgresql_answers_with_its_own_version() {
    for row in world().rows("postgresql") {
        let server = world().postgres(row.server().parse().unwrap());
        let database = server.create_database("smoke");
        let version = server.psql(&database, "show server_version");
        assert!(version.starts_with(row.server()), "{version}");
        assert!(
            server
                .schema(&database)
                .contains("PostgreSQL database dump")
        );
    }
}

#[test]
fn minio_is_healthy_and_keeps_what_it_is_given() {
    let minio = world().minio();
    assert_eq!(minio.health().unwrap(), 200);
    let bucket = minio.create_bucket("smoke");
    bucket.put("a/b", "bytes");
    assert_eq!(bucket.get("a/b"), b"bytes");
    assert_eq!(bucket.list(), [("a/b".to_owned(), 5)]);
    bucket.delete("a/b");
    assert!(bucket.keys().is_empty());
}

#[test]
fn client_tools_reach_a_server_from_this_machine_and_from_a_container() {
    for row in world().rows("postgresql") {
        let server = world().postgres(row.server().parse().unwrap());
        let tool = format!("{}/psql", row.facts["PG_BIN"]);
        let (host, port) = server.address(Seat::Container);
        let local = spawn_program(&format!("{}/pg_dumpall", server.tools()), &["--version"])
            .wait()
            .good();
        assert!(
            local.stdout.contains(&format!(" {}", client_version(row))),
            "{}",
            local.stdout
        );
        let url = format!(
            "host={host} port={port} user={} dbname=postgres",
            server.user
        );
        let image = world().image("postgresql", &row.version);
        let hardened = [
            "--read-only",
            "--cap-drop=ALL",
            "--user=12345",
            "--memory=256m",
        ];
        let docker_args = [&hardened[..], &["--entrypoint", &tool]].concat();
        let env = [("PGPASSWORD", server.password)];
        let run = run_image(&image, &env, &docker_args, &["-Atc", "select 6 * 7", &url]).good();
        assert_eq!(run.stdout.trim(), "42");
    }
}

#[test]
fn a_server_of_ones_own_can_be_killed_and_is_gone_when_dropped() {
    let server = world().own_postgres(17, &["-c", "work_mem=5MB"]);
    assert_eq!(server.psql("postgres", "show work_mem"), "5MB");
    server.kill();
    assert!(server.try_psql("postgres", "select 1").is_err());
}

#[test]
fn a_running_job_can_be_watched_and_signalled() {
    let run = spawn_program("sh", &["-c", "echo begun >&2; exec sleep 60"]);
    run.wait_for("begun");
    run.signal("TERM");
    assert_eq!(run.wait().code, 143);
}
