//! `--run`: an execution followed to its end.

use super::*;

async fn run(world: &World) -> Result<(), String> {
    let options = options(&["postgresql:17", "--run"]);
    let (image, wish) = (image('a'), Wish::default());
    let ran = crate::deploy::one(&world.cloud, &options, &world.row, &image, &wish);
    ran.await.map_err(|err| err.to_string())
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let world = World::new().await;
    run(&world).await.unwrap();
    assert_eq!(world.calls(), ["get", "create", "get", "run", "get", "get"]);
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn a_failed_execution_fails_the_command_and_says_what_its_exit_code_means() {
    for (code, means) in [
        (1, "a person must act"),
        (75, "a retry may help"),
        (3, "exit code 3"),
    ] {
        let world = World::new().await;
        world.stand_in.state().exit_code = code;
        let said = run(&world).await.unwrap_err();
        assert!(said.contains(means), "{said}");
        assert!(
            said.contains("logs: https://console.cloud.google.com/logs/viewer"),
            "{said}"
        );
        assert_eq!(world.violations(), [""; 0]);
    }
}
