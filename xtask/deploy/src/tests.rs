//! `deploy` against the stand-in: what it sends, what it says.

mod refusals;
mod runs;
mod texts;

use std::time::Duration;

use serde_json::Value;

use xtask::versions::{Row, Versions};

use crate::cloud::{Cloud, Endpoint};
use crate::deploy::{Outcome, apply, plan};
use crate::stand_in::StandIn;
use crate::wish::{Options, Place, Wish, job_id};

const JOB: &str = "projects/shop/locations/us-central1/jobs/plan-b-backup-postgresql-17";

/// A stand-in, and a client that talks to it.
struct World {
    stand_in: StandIn,
    cloud: Cloud,
    row: Row,
}

impl World {
    async fn new() -> Self {
        Self::waiting(Duration::from_secs(30)).await
    }

    async fn waiting(wait: Duration) -> Self {
        let stand_in = StandIn::start().unwrap();
        let endpoint = Endpoint::Anonymous(stand_in.url());
        let cloud = Cloud::connect(endpoint, shop(), wait).await.unwrap();
        Self {
            stand_in,
            cloud,
            row: row(),
        }
    }

    async fn deploy(&self, wish: &Wish) -> Result<(Outcome, String), String> {
        self.deploy_image(&image('a'), wish).await
    }

    /// What came of it, and the diff.
    async fn deploy_image(&self, image: &str, wish: &Wish) -> Result<(Outcome, String), String> {
        let tried = async {
            let (now, then, changes) = plan(&self.cloud, &self.row, image, wish).await?;
            let outcome = apply(&self.cloud, now.as_ref(), &then, &changes).await?;
            Ok((outcome, changes.join("\n")))
        };
        tried
            .await
            .map_err(|err: xtask::shell::Error| err.to_string())
    }

    /// The last words of the methods that were called.
    fn calls(&self) -> Vec<String> {
        let state = self.stand_in.state();
        let short = |id: &str| id.rsplit('.').next().unwrap_or_default().to_owned();
        state.seen.iter().map(|(id, _)| short(id)).collect()
    }

    fn stored(&self) -> Value {
        self.stand_in.state().job(JOB).cloned().unwrap_or_default()
    }

    fn violations(&self) -> Vec<String> {
        self.stand_in.state().violations.clone()
    }
}

fn shop() -> Place {
    Place {
        project: "shop".to_owned(),
        region: "us-central1".to_owned(),
    }
}

fn row() -> Row {
    let versions = Versions::parse(include_str!("../../../images/versions.toml")).unwrap();
    versions.row("postgresql", "17").unwrap().clone()
}

fn image(digit: char) -> String {
    let digest = digit.to_string().repeat(64);
    format!("registry.example/planb/plan-b-backup-postgresql@sha256:{digest}")
}

/// Options as the command line gives them.
fn options(args: &[&str]) -> Options {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }
    let args = ["deploy", "--project", "shop"].iter().chain(args);
    <Line as clap::Parser>::try_parse_from(args)
        .unwrap()
        .options
}

fn wish(args: &[&str]) -> Wish {
    options(args).wish(&shop()).unwrap()
}

#[tokio::test]
async fn a_job_is_created_with_the_defaults_and_left_alone_after_that() {
    let world = World::new().await;
    let (outcome, _) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let task = &world.stored()["template"]["template"];
    let container = &task["containers"][0];
    assert_eq!(container["image"], image('a'));
    assert_eq!(
        container["resources"]["limits"],
        serde_json::json!({"cpu": "1", "memory": "2Gi"})
    );
    assert_eq!(task["timeout"], "3600s");
    let (outcome, changes) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!((outcome, changes.as_str()), (Outcome::Unchanged, ""));
    assert_eq!(world.calls(), ["get", "create", "get", "get", "get"]);
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn an_update_shows_and_changes_only_what_differs() {
    let world = World::new().await;
    world
        .deploy(&wish(&["--secret", "DB_PASSWORD=db-password"]))
        .await
        .unwrap();
    world.stand_in.state().change(JOB, |job| {
        job["template"]["template"]["vpcAccess"] = serde_json::json!({"connector": "theirs"});
        job["labels"]["team"] = "theirs".into();
        // As after `gcloud run jobs replace`.
        job["labels"]["cloud.googleapis.com/location"] = "us-central1".into();
    });
    let wish = wish(&[
        "--memory",
        "4Gi",
        "--cpu",
        "1000m",
        "--secret",
        "DB_PASSWORD=db-password:3",
    ]);
    let (outcome, changes) = world.deploy_image(&image('b'), &wish).await.unwrap();
    assert_eq!(outcome, Outcome::Updated);
    expect_test::expect![[r#"
        ~ env.DB_PASSWORD: secret db-password:latest -> secret db-password:3
        ~ image: registry.example/planb/plan-b-backup-postgresql@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> registry.example/planb/plan-b-backup-postgresql@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        ~ resources.limits.memory: 2Gi -> 4Gi"#]]
    .assert_eq(&changes);
    let stored = world.stored();
    assert_eq!(
        stored["template"]["template"]["vpcAccess"]["connector"],
        "theirs"
    );
    assert_eq!(stored["labels"]["team"], "theirs");
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn options_left_out_keep_what_the_job_has() {
    let world = World::new().await;
    let asked = [
        "--memory",
        "4Gi",
        "--timeout",
        "2h",
        "--max-retries",
        "0",
        "--service-account",
        "backup@shop.iam.gserviceaccount.com",
    ];
    world.deploy(&wish(&asked)).await.unwrap();
    let (outcome, changes) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!((outcome, changes.as_str()), (Outcome::Unchanged, ""));
    let task = &world.stored()["template"]["template"];
    assert_eq!(
        (task["timeout"].as_str(), task["maxRetries"].as_i64()),
        (Some("7200s"), Some(0))
    );
    assert_eq!(
        task["serviceAccount"],
        "backup@shop.iam.gserviceaccount.com"
    );
}

#[tokio::test]
async fn a_dry_run_reads_and_changes_nothing() {
    let world = World::new().await;
    let dry = options(&["postgresql:17", "--dry-run", "--memory", "4Gi"]);
    let wish = dry.wish(&shop()).unwrap();
    crate::deploy::one(&world.cloud, &dry, &world.row, &image('a'), &wish)
        .await
        .unwrap();
    world.deploy(&Wish::default()).await.unwrap();
    let before = world.stored();
    crate::deploy::one(&world.cloud, &dry, &world.row, &image('a'), &wish)
        .await
        .unwrap();
    assert_eq!(world.stored(), before);
    assert_eq!(world.calls(), ["get", "get", "create", "get", "get"]);
}

#[tokio::test]
async fn the_proof_of_an_image_says_what_it_saw() {
    let said = crate::prove::prove(&row(), &image('c')).await.unwrap();
    assert_eq!(
        said,
        "plan-b-backup-postgresql-17 created, unchanged on repeat"
    );
}

#[test]
fn a_version_becomes_part_of_a_name() {
    let mut row = row();
    row.version = "8.4_LTS".to_owned();
    assert_eq!(job_id(&row), "plan-b-backup-postgresql-8-4-lts");
}

#[test]
fn only_an_image_that_cannot_move_is_deployed() {
    let row = row();
    let images = |args: &[&str], rows: &[&Row]| {
        let images = crate::deploy::images(&options(args), rows);
        images.map_or_else(|err| err.to_string(), |images| images.join(" "))
    };
    let one = image('a');
    assert_eq!(images(&["--image", &one], &[&row]), one);
    let tag = ["--image", "registry.example/plan-b-backup-postgresql:17"];
    assert!(images(&tag, &[&row]).contains("a tag can move"));
    assert!(images(&["--image", &one], &[&row, &row]).contains("one image"));
    assert!(images(&[], &[&row]).contains("Give --registry"));
}
