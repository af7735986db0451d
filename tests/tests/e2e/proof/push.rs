//! A push to a real registry, over TLS and with a login.

use tests::world;
use xtask::docker::image_facts;
use xtask::leash::Leash;
use xtask::project::Project;
use xtask::server::Network;
use xtask::verify::registry::Registry;

use super::{docker, names_at};

const NAME: &str = "plan-b-backup-postgresql:17";

#[test]
fn an_image_is_pushed_once_per_release_and_comes_back_with_the_same_digest() {
    let leash = Leash::new(format!("planb-verify=push-{}", std::process::id())).unwrap();
    let project = Project::load().unwrap();
    let network = Network::create(&leash).unwrap();
    let gateway = network.gateway().unwrap();
    let registry = Registry::start(&project, &network, &leash).unwrap();
    let user = registry.logged_in();
    let image = world().image("postgresql", 17);

    let first = user.push(&image, NAME, "1.0.0", &leash).unwrap();
    assert!(!first.was_there);
    assert!(first.tags[0].ends_with("/plan-b-backup-postgresql:17-1.0.0"));
    for name in &first.tags {
        docker(&["rmi", name]);
    }
    leash.tag(&first.reference).unwrap();
    user.docker(["pull", "--quiet", &first.reference])
        .read()
        .unwrap();
    assert_eq!(
        image_facts(&first.reference).unwrap().1,
        image_facts(&image).unwrap().1
    );

    // The same again is no change.
    let again = user.push(&image, NAME, "1.0.0", &leash).unwrap();
    assert!(again.was_there);
    assert_eq!(again.digest, first.digest);

    // Another image is no such release, and neither tag moves.
    let other = format!("planb-test-other:{}", std::process::id());
    leash.tag(&other).unwrap();
    let container = docker(&["create", "--label", leash.label(), &image]);
    docker(&["commit", "--change", "LABEL other=true", &container, &other]);
    let err = user
        .push(&other, NAME, "1.0.0", &leash)
        .unwrap_err()
        .to_string();
    assert!(
        err.contains("A release never changes") && err.contains("--tag"),
        "{err}"
    );
    assert_eq!(
        user.push(&image, NAME, "1.0.0", &leash).unwrap().digest,
        first.digest
    );

    // As the next release it is welcome.
    let next = user.push(&other, NAME, "1.0.1", &leash).unwrap();
    assert_ne!(next.digest, first.digest);

    // Who is not logged in learns what to do, and pushes nothing.
    let nobody = tempfile::tempdir().unwrap();
    let stranger = registry.anonymous(nobody.path());
    let err = stranger
        .push(&image, NAME, "2.0.0", &leash)
        .unwrap_err()
        .to_string();
    assert!(
        err.contains("docker login ") && err.contains(&gateway),
        "{err}"
    );
    assert!(!err.contains("s3cret"), "{err}");

    leash.end().unwrap();
    assert_eq!(names_at(&gateway), [""; 0]);
}
