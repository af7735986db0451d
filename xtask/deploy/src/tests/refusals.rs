//! What Google refuses, and what we say then.

use serde_json::{Value, json};

use super::*;
use crate::stand_in::Refusal;

fn refusal(
    method: &'static str,
    code: u16,
    status: &'static str,
    message: &str,
    details: Value,
) -> Refusal {
    Refusal {
        method,
        code,
        status,
        message: message.to_owned(),
        details,
    }
}

/// What a deploy says when it is refused once.
async fn said(it: Refusal) -> String {
    let world = World::new().await;
    world.stand_in.state().refusals.push_back(it);
    let said = world.deploy(&Wish::default()).await.unwrap_err();
    assert_eq!(world.violations(), [""; 0]);
    said
}

#[tokio::test]
async fn permission_denied_names_the_permission_and_a_role_that_has_it() {
    let message = "Permission 'run.jobs.create' denied on resource 'projects/shop/locations/us-central1' (or it may not exist).";
    let said = said(refusal(
        "jobs.create",
        403,
        "PERMISSION_DENIED",
        message,
        json!([]),
    ))
    .await;
    expect_test::expect![[r#"
        create projects/shop/locations/us-central1/jobs/plan-b-backup-postgresql-17: permission run.jobs.create is missing in project shop; roles/run.developer on the project has it
          Google says (PERMISSION_DENIED): Permission 'run.jobs.create' denied on resource 'projects/shop/locations/us-central1' (or it may not exist)."#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn permission_denied_to_read_is_not_taken_for_a_job_that_is_not_there() {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "domain": "iam.googleapis.com",
        "metadata": {"permission": "run.jobs.get"},
    }]);
    let said = said(refusal(
        "jobs.get",
        403,
        "PERMISSION_DENIED",
        "The caller does not have permission",
        details,
    ))
    .await;
    assert!(
        said.contains("permission run.jobs.get is missing"),
        "{said}"
    );
}

#[tokio::test]
async fn a_service_account_that_may_not_be_used_is_said_so() {
    let message = "Permission 'iam.serviceaccounts.actAs' denied on service account backup@shop.iam.gserviceaccount.com";
    let said = said(refusal(
        "jobs.create",
        403,
        "PERMISSION_DENIED",
        message,
        json!([]),
    ))
    .await;
    assert!(
        said.contains("roles/iam.serviceAccountUser on the job's service account"),
        "{said}"
    );
}

#[tokio::test]
async fn an_api_that_is_not_enabled_gets_the_command_that_enables_it() {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
        "metadata": {"service": "run.googleapis.com", "consumer": "projects/1"},
    }]);
    let message = "Cloud Run Admin API has not been used in project 1 before or it is disabled.";
    let said = said(refusal(
        "jobs.get",
        403,
        "PERMISSION_DENIED",
        message,
        details,
    ))
    .await;
    assert!(
        said.contains("`gcloud services enable run.googleapis.com --project shop`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_quota_that_comes_back_soon_is_waited_for() {
    let world = World::new().await;
    let details =
        json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.01s"}]);
    let it = refusal(
        "jobs.create",
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Write requests'",
        details,
    );
    world.stand_in.state().refusals.extend([it.clone(), it]);
    let (outcome, _) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(world.calls(), ["get", "create", "create", "create", "get"]);
}

#[tokio::test]
async fn a_quota_that_comes_back_late_is_named_with_its_time() {
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "90s"},
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
         "violations": [{"subject": "project:shop", "description": "jobs per region: 1000"}]},
    ]);
    let said = said(refusal(
        "jobs.create",
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded",
        details,
    ))
    .await;
    expect_test::expect![[r#"
        create projects/shop/locations/us-central1/jobs/plan-b-backup-postgresql-17: a quota of project shop in us-central1 is used up (project:shop: jobs per region: 1000): repeat later, in 90 s, take another --region, or ask for more at https://console.cloud.google.com/iam-admin/quotas?project=shop
          Google says (RESOURCE_EXHAUSTED): Quota exceeded"#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn a_job_that_somebody_changes_meanwhile_is_not_overwritten() {
    let world = World::new().await;
    world.deploy(&Wish::default()).await.unwrap();
    let (now, then, changes) = plan(&world.cloud, &world.row, &image('b'), &Wish::default())
        .await
        .unwrap();
    world
        .stand_in
        .state()
        .change(JOB, |job| job["labels"]["team"] = "theirs".into());
    let theirs = world.stored();
    let err = apply(&world.cloud, now.as_ref(), &then, &changes)
        .await
        .unwrap_err();
    assert!(
        err.to_string()
            .contains("somebody has changed the job since we read it"),
        "{err}"
    );
    assert_eq!(world.stored(), theirs);
    // And the way out is one.
    let (outcome, _) = world
        .deploy_image(&image('b'), &Wish::default())
        .await
        .unwrap();
    assert_eq!(
        (outcome, world.stored()["labels"]["team"].as_str()),
        (Outcome::Updated, Some("theirs"))
    );
}

#[tokio::test]
async fn a_job_that_somebody_creates_meanwhile_is_not_overwritten() {
    let world = World::new().await;
    let (now, then, changes) = plan(&world.cloud, &world.row, &image('a'), &Wish::default())
        .await
        .unwrap();
    world
        .deploy_image(&image('b'), &Wish::default())
        .await
        .unwrap();
    let err = apply(&world.cloud, now.as_ref(), &then, &changes)
        .await
        .unwrap_err();
    assert!(
        err.to_string()
            .contains("somebody has created it meanwhile"),
        "{err}"
    );
}

#[tokio::test]
async fn an_etag_that_is_refused_as_a_precondition_is_the_same_conflict() {
    let world = World::new().await;
    world.deploy(&Wish::default()).await.unwrap();
    let it = refusal(
        "jobs.patch",
        400,
        "FAILED_PRECONDITION",
        "Etag does not match",
        json!([]),
    );
    world.stand_in.state().refusals.push_back(it);
    let said = world
        .deploy_image(&image('b'), &Wish::default())
        .await
        .unwrap_err();
    assert!(
        said.contains("somebody has changed the job since we read it"),
        "{said}"
    );
}

#[tokio::test]
async fn an_operation_that_takes_some_time_is_waited_for() {
    let world = World::new().await;
    world.stand_in.state().n_waits = 3;
    let (outcome, _) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(
        world.calls(),
        ["get", "create", "wait", "wait", "wait", "get"]
    );
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_named_and_a_repeat_finds_its_job() {
    let mut world = World::waiting(Duration::from_millis(50)).await;
    world.stand_in.state().n_waits = u32::MAX;
    let said = world.deploy(&Wish::default()).await.unwrap_err();
    assert!(said.contains("not done after 0.05 s"), "{said}");
    assert!(
        said.contains("projects/shop/locations/us-central1/operations/op-"),
        "{said}"
    );
    let said = world.deploy(&Wish::default()).await.unwrap_err();
    assert!(said.contains("not done after 0.05 s"), "{said}");
    world.stand_in.state().n_waits = 2;
    world.cloud.wait = Duration::from_secs(30);
    let (outcome, _) = world.deploy(&Wish::default()).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn an_operation_that_ends_badly_says_why() {
    let world = World::new().await;
    let message = "Permission 'secretmanager.versions.access' denied on secret db-password";
    world.stand_in.state().n_waits = 1;
    world.stand_in.state().bad_end = Some(json!({"code": 7, "message": message}));
    let said = world.deploy(&Wish::default()).await.unwrap_err();
    assert!(
        said.contains("permission secretmanager.versions.access is missing"),
        "{said}"
    );
    assert!(
        said.contains("roles/secretmanager.secretAccessor on the secret"),
        "{said}"
    );
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn an_image_that_the_registry_lacks_is_said_so_also_on_repeat() {
    let world = World::new().await;
    world.stand_in.state().no_image = true;
    for _ in 0..2 {
        let said = world.deploy(&Wish::default()).await.unwrap_err();
        assert!(said.contains("CONTAINER_MISSING"), "{said}");
        assert!(said.contains("cargo xtask push --registry"), "{said}");
    }
}

#[tokio::test]
async fn a_misspelt_field_is_refused_by_the_stand_in() {
    let world = World::new().await;
    let (_, then, _) = plan(&world.cloud, &world.row, &image('a'), &Wish::default())
        .await
        .unwrap();
    // The SDK keeps fields that it does not know, and sends them.
    let mut job = serde_json::to_value(&then).unwrap();
    job["template"]["template"]["containers"][0]["imagee"] = json!("x");
    let job = serde_json::from_value(job).unwrap();
    let said = world.cloud.create(&job).await.unwrap_err().to_string();
    assert!(said.contains("'imagee' was unexpected"), "{said}");
    assert!(world.violations()[0].starts_with("/template/template/containers/0"));
    assert_eq!(world.stored(), Value::Null);
}

#[tokio::test]
async fn what_only_google_may_say_is_refused_in_a_request() {
    let world = World::new().await;
    let (_, mut then, _) = plan(&world.cloud, &world.row, &image('a'), &Wish::default())
        .await
        .unwrap();
    then.uid = "ours".to_owned();
    let said = world.cloud.create(&then).await.unwrap_err().to_string();
    assert!(said.contains("'uid' was unexpected"), "{said}");
}

#[tokio::test]
async fn a_wrong_answer_of_the_stand_in_itself_does_not_pass() {
    let world = World::new().await;
    world.deploy(&Wish::default()).await.unwrap();
    world
        .stand_in
        .state()
        .change(JOB, |job| job["generatoin"] = json!("1"));
    world.deploy(&Wish::default()).await.unwrap_err();
    assert!(
        world.violations()[0].contains("'generatoin' was unexpected"),
        "{:?}",
        world.violations()
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so() {
    let world = World::new().await;
    let endpoint = Endpoint::Anonymous("http://127.0.0.1:1".to_owned());
    let cloud = Cloud::connect(endpoint, shop(), Duration::from_secs(1))
        .await
        .unwrap();
    let err = cloud
        .create(&crate::job::desired(&shop(), &world.row, "x", &Wish::default(), None).unwrap())
        .await
        .unwrap_err();
    assert!(
        err.to_string().contains("Cloud Run does not answer"),
        "{err}"
    );
}

#[tokio::test]
async fn google_is_spoken_to_in_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let hello = std::thread::spawn(move || {
        let mut first = [0];
        let (mut socket, _) = listener.accept().unwrap();
        std::io::Read::read_exact(&mut socket, &mut first).unwrap();
        first[0]
    });
    let endpoint = Endpoint::Anonymous(url);
    let cloud = Cloud::connect(endpoint, shop(), Duration::from_secs(1))
        .await
        .unwrap();
    cloud.job(JOB).await.unwrap_err();
    // The type of a handshake record.
    assert_eq!(hello.join().unwrap(), 22);
}
