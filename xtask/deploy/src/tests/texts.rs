//! Variables and secrets, and the document for gcloud.

use serde_json::json;

use super::*;
use crate::settings::{self, SECRETS, is_secret};
use crate::stand_in::discovery::{Discovery, Side};
use crate::{job, yaml};

const HIDDEN: &str = "correct horse battery staple";

#[test]
fn the_secrets_are_those_of_the_runner() {
    let keys = runner_core::env::keys(runner_core::job::KEYS);
    let mut secrets: Vec<_> = keys.filter(|key| key.secret).map(|key| key.name).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, SECRETS);
    let plain = runner_core::env::keys(runner_core::job::KEYS).filter(|key| !key.secret);
    let refused: Vec<_> = plain
        .filter(|key| is_secret(key.name, "x"))
        .map(|key| key.name)
        .collect();
    assert_eq!(refused, [""; 0]);
}

#[test]
fn a_file_of_variables_is_read_as_docker_reads_it() {
    let text = "# where\n\nDB_HOST=db\nDB_NAME=a b=c\nEXCLUDE_TABLES=\nDB_TLS_CA_FILE=/ca.pem\n";
    let values = settings::plain("x.env", text).unwrap();
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        values,
        ["DB_HOST=db", "DB_NAME=a b=c", "DB_TLS_CA_FILE=/ca.pem"]
    );
}

#[test]
fn a_secret_among_plain_variables_is_refused_with_the_way_out_and_not_repeated() {
    let lines = [
        format!("DB_PASSWORD={HIDDEN}"),
        format!("PGPASSWORD={HIDDEN}"),
        "HTTPS_PROXY=http://me:correct@proxy:3128".to_owned(),
        "SOME=AGE-SECRET-KEY-1correct".to_owned(),
        "1X=correct".to_owned(),
        "correct".to_owned(),
    ];
    let said = settings::plain("x.env", &lines.join("\n")).unwrap_err();
    assert_eq!(said.len(), lines.len());
    assert!(
        said[0].starts_with("x.env:1: DB_PASSWORD holds a secret"),
        "{}",
        said[0]
    );
    assert!(
        said[0].contains("--secret DB_PASSWORD=SECRET[:VERSION]"),
        "{}",
        said[0]
    );
    assert!(!said.concat().contains("correct"), "{said:?}");
}

#[test]
fn a_secret_is_named_in_any_of_googles_ways() {
    let parse = |text: &str| {
        let read = settings::secrets(&[format!("X={text}")], &shop());
        read.map_or_else(
            |_| "refused".to_owned(),
            |it| format!("{} {}", it["X"].secret, it["X"].version),
        )
    };
    assert_eq!(parse("db-password"), "db-password latest");
    assert_eq!(parse("db-password:7"), "db-password 7");
    assert_eq!(
        parse("projects/shop/secrets/db-password"),
        "db-password latest"
    );
    assert_eq!(
        parse("projects/else/secrets/db-password/versions/7"),
        "projects/else/secrets/db-password 7"
    );
    assert_eq!(parse(HIDDEN), "refused");
    assert_eq!(parse("db-password:"), "refused");
    let said = settings::secrets(&[format!("X={HIDDEN}"), HIDDEN.to_owned()], &shop()).unwrap_err();
    assert!(!said.concat().contains("correct"), "{said:?}");
}

#[tokio::test]
async fn secrets_go_as_references_and_plain_ones_of_before_are_not_sent_again() {
    let world = World::new().await;
    let secrets = wish(&[
        "--secret",
        "DB_PASSWORD=db-password",
        "--secret",
        "CALLBACK_TOKEN=projects/else/secrets/token:2",
    ]);
    world.deploy(&secrets).await.unwrap();
    let env = &world.stored()["template"]["template"]["containers"][0]["env"];
    assert_eq!(
        *env,
        json!([
            {"name": "CALLBACK_TOKEN", "valueSource": {"secretKeyRef": {"secret": "projects/else/secrets/token", "version": "2"}}},
            {"name": "DB_PASSWORD", "valueSource": {"secretKeyRef": {"secret": "db-password", "version": "latest"}}},
        ])
    );
    world.stand_in.state().change(JOB, |job| {
        job["template"]["template"]["containers"][0]["env"] =
            json!([{"name": "DB_PASSWORD", "value": HIDDEN}]);
    });
    let said = world
        .deploy_image(&image('b'), &Wish::default())
        .await
        .unwrap_err();
    assert!(
        said.contains("the job holds DB_PASSWORD as a plain value"),
        "{said}"
    );
    let (_, changes) = world.deploy(&secrets).await.unwrap();
    assert!(
        changes.contains("~ env.DB_PASSWORD: *** (plain) -> secret db-password:latest"),
        "{changes}"
    );
    let bodies = world
        .stand_in
        .state()
        .seen
        .iter()
        .flat_map(|(_, it)| it.body.clone())
        .collect::<Vec<_>>();
    assert!(!format!("{said}{changes}{}", String::from_utf8_lossy(&bodies)).contains(HIDDEN));
}

#[tokio::test]
async fn a_file_or_secrets_given_replace_what_the_job_had_of_their_kind() {
    let world = World::new().await;
    let env = |pairs: &[(&str, &str)]| Wish {
        plain: Some(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        ),
        ..Wish::default()
    };
    world
        .deploy(&wish(&["--secret", "DB_PASSWORD=db-password"]))
        .await
        .unwrap();
    world
        .deploy(&env(&[("DB_HOST", "db"), ("DB_NAME", "shop")]))
        .await
        .unwrap();
    let (_, changes) = world.deploy(&env(&[("DB_HOST", "db2")])).await.unwrap();
    expect_test::expect![[r#"
        ~ env.DB_HOST: "db" -> "db2"
        - env.DB_NAME: "shop""#]]
    .assert_eq(&changes);
    let env = world.stored()["template"]["template"]["containers"][0]["env"].to_string();
    assert!(
        env.contains("DB_PASSWORD") && env.contains("db2") && !env.contains("DB_NAME"),
        "{env}"
    );
}

#[test]
fn the_document_for_gcloud_is_what_google_describes() {
    let mut wish = wish(&[
        "--secret",
        "DB_PASSWORD=db-password",
        "--secret",
        "CALLBACK_TOKEN=projects/else/secrets/token:2",
    ]);
    wish.plain = Some([("DB_HOST".to_owned(), "db: \"1\"".to_owned())].into());
    let job = job::desired(&shop(), &row(), &image('a'), &wish, None).unwrap();
    let document = yaml::document(&shop(), &job);
    assert_eq!(
        Discovery::v1().check(Side::Request, "Job", &document),
        [""; 0]
    );
    expect_test::expect![[r#"
        apiVersion: "run.googleapis.com/v1"
        kind: "Job"
        metadata:
          labels:
            cloud.googleapis.com/location: "us-central1"
            database: "postgresql"
            managed-by: "plan-b-backup"
            version: "17"
          name: "plan-b-backup-postgresql-17"
          namespace: "shop"
        spec:
          template:
            metadata:
              annotations:
                run.googleapis.com/secrets: "secret-1:projects/else/secrets/token"
            spec:
              taskCount: 1
              template:
                spec:
                  containers:
                    - env:
                        - name: "CALLBACK_TOKEN"
                          valueFrom:
                            secretKeyRef:
                              key: "2"
                              name: "secret-1"
                        - name: "DB_HOST"
                          value: "db: \"1\""
                        - name: "DB_PASSWORD"
                          valueFrom:
                            secretKeyRef:
                              key: "latest"
                              name: "db-password"
                      image: "registry.example/planb/plan-b-backup-postgresql@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                      resources:
                        limits:
                          cpu: "1"
                          memory: "2Gi"
                  maxRetries: 1
                  timeoutSeconds: "3600"
    "#]].assert_eq(&yaml::render(&document));
}

#[test]
fn every_wrong_option_is_listed() {
    let args = [
        "--memory",
        "2GB",
        "--cpu",
        "many",
        "--timeout",
        "200h",
        "--max-retries",
        "99",
        "--secret",
        "x",
    ];
    let err = options(&args).wish(&shop()).unwrap_err();
    expect_test::expect![[r#"
        --memory "2GB": such as 512Mi, 2Gi
        --cpu "many": such as 1, 2, 4, 8, 1000m
        --max-retries: 0 to 10
        --timeout: Cloud Run grants 168h at most
        --secret: expected NAME=SECRET[:VERSION]"#]]
    .assert_eq(&err.to_string());
}
