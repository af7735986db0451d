//! What an image is made of, and what it says of itself.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{run_image, world};
use xtask::docker::docker;
use xtask::shell::cmd;
use xtask::testbed::stand_in_client;

const OCI: [&str; 9] = [
    "base.name",
    "description",
    "documentation",
    "licenses",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

#[test]
fn every_image_says_what_it_is_and_starts_the_runner_as_no_one_in_particular() {
    for row in world().all_rows() {
        let image = world().image(&row.engine, &row.version);
        let format = ["image", "inspect", "--format", "{{json .Config}}", &image];
        let config: Value = serde_json::from_str(&docker(format).read().unwrap()).unwrap();
        let env = config["Env"].as_array().unwrap();
        for (name, value) in [
            ("DB_TYPE", row.engine.clone()),
            ("DB_VERSION", row.version.clone()),
            (
                "CONTAINER_VERSION",
                format!("{}-{}", row.engine, row.version),
            ),
            ("OPERATION_TYPE", "backup".into()),
        ] {
            let pair = Value::from(format!("{name}={value}"));
            assert!(env.contains(&pair), "{image} has no {pair}");
        }
        let labels = &config["Labels"];
        assert_eq!(labels["database"], row.engine);
        assert_eq!(labels["version"], row.version);
        assert_eq!(labels["source"], row.upstream);
        assert_ne!(labels["maintainer"], Value::Null);
        for name in OCI {
            let label = format!("org.opencontainers.image.{name}");
            assert_ne!(labels[&label], Value::Null, "{image} has no {label}");
        }
        assert_eq!(config["User"], "10001:0");
        let entrypoint = Value::from(vec!["/usr/local/bin/runner"]);
        assert_eq!(config["Entrypoint"], entrypoint);
    }
}

#[test]
fn an_image_has_neither_a_shell_nor_a_server_and_its_client_is_of_its_version() {
    for row in world().rows("postgresql") {
        let image = world().image(&row.engine, &row.version);
        let (bin, mut tools) = (&row.facts["PG_BIN"], BTreeSet::new());
        for path in programs(&image) {
            let tool = path.strip_prefix(bin.trim_start_matches('/'));
            match tool.and_then(|tool| tool.strip_prefix('/')) {
                Some(tool) => tools.insert(tool.to_owned()),
                None => panic!("{image} has {path}"),
            };
        }
        let expected = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];
        assert_eq!(tools, expected.map(str::to_owned).into());
        let tool = format!("--entrypoint={bin}/pg_dump");
        let said = run_image(&image, [].as_slice(), &[&tool], &["--version"]).good();
        let own = bin.split('/').nth_back(1).unwrap();
        let major = stand_in_client(row).unwrap_or(own);
        let version = format!(") {major}.");
        assert!(said.stdout.contains(&version), "{}", said.stdout);
    }
}

#[test]
fn an_image_of_mysql_or_mariadb_has_no_program_but_the_runner_and_nothing_of_a_server() {
    for engine in ["mysql", "mariadb"] {
        for row in world().rows(engine) {
            let image = world().image(engine, &row.version);
            assert_eq!(programs(&image), [""; 0], "{image}");
            let said = run_image(&image, [].as_slice(), &[], &["--version"]).good();
            assert!(
                said.stdout.starts_with(&format!("{engine}-runner ")),
                "{}",
                said.stdout
            );
            let labels = "{{index .Config.Labels \"org.opencontainers.image.base.name\"}}";
            let base = docker(["image", "inspect", "--format", labels, &image]).read();
            assert_eq!(base.unwrap(), row.base);
        }
    }
}

/// Every file in a directory of programs, but the runner.
fn programs(image: &str) -> Vec<String> {
    let created = docker(["create"]).args(world().docker_args()).arg(image);
    let container = created.read().unwrap();
    // An image's archive is megabytes of libraries: only its table of contents comes here.
    let listed = cmd("sh")
        .args(["-c", "docker export \"$1\" | tar t", "sh", &container])
        .read();
    docker(["rm", &container]).read().unwrap();
    let is_program = |path: &str| {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        dir.ends_with("bin") && !path.ends_with('/') && path != "usr/local/bin/runner"
    };
    let listed = listed.unwrap();
    assert!(listed.contains("usr/local/bin/runner"), "{listed}");
    listed
        .lines()
        .filter(|path| is_program(path))
        .map(str::to_owned)
        .collect()
}
