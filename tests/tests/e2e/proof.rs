//! The proof of an image from outside: it fails at the right step, and whatever ends it, nothing is left behind.

mod hooks;
mod push;

use std::io::Write;
use std::time::Duration;

use tests::{Run, Running, spawn_program, spawn_xtask, world};
use xtask::shell::poll;

const TABLE: &str = include_str!("../../../images/versions.toml");
const PATIENCE: Duration = Duration::from_secs(60);

/// A `cargo xtask build-verify` of one row, with the dev build.
struct Proof {
    running: Running,
    label: String,
    reports: tempfile::TempDir,
}

impl Proof {
    fn of(row: &str, more: &[&str]) -> Self {
        let reports = tempfile::tempdir().unwrap();
        let report = reports.path().join("report").display().to_string();
        let proof = ["build-verify", row, "--dev", "--report", &report];
        let running = spawn_xtask(&[&proof[..], more].concat());
        let label = format!("planb-verify={}-{}", running.pid(), row.replace(':', "-"));
        Self {
            running,
            label,
            reports,
        }
    }

    /// Returns when the step begins.
    fn wait_for_step(&self, number: usize) {
        self.running.wait_for(&format!("· {number:>2}  "));
    }

    fn container(&self, host: &str) -> String {
        format!("{}-{host}", self.label.replace('=', "-"))
    }

    /// This machine's address on the proof's network, which the registry's names begin with.
    fn gateway(&self) -> String {
        let network = self.label.replace('=', "-");
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        docker(&["network", "inspect", "--format", format, &network])
    }

    /// Everything with the proof's label, and its directory of keys and logins.
    fn leftovers(label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        let listings: [&[&str]; 3] = [&["ps", "--all"], &["network", "ls"], &["volume", "ls"]];
        let ids =
            |listing: &&[&str]| docker(&[*listing, &["--quiet", "--filter", &filter]].concat());
        let mut left: Vec<String> = listings
            .iter()
            .map(ids)
            .filter(|it| !it.is_empty())
            .collect();
        let project = xtask::project::Project::load().unwrap();
        let scratch = format!("{}-registry", label.replace('=', "-"));
        let scratch = project.target().join("verify").join(scratch);
        left.extend(scratch.exists().then(|| scratch.display().to_string()));
        left
    }
}

/// The table with another text in place of one in the row of a version.
fn table(version: &str, from: &str, to: &str) -> tempfile::NamedTempFile {
    let row = TABLE.find(&format!("version = \"{version}\"")).unwrap();
    let (before, after) = TABLE.split_at(row);
    assert!(after.contains(from));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{before}{}", after.replacen(from, to, 1)).unwrap();
    file
}

fn docker(args: &[&str]) -> String {
    spawn_program("docker", args)
        .wait()
        .good()
        .stdout
        .trim()
        .to_owned()
}

/// The names of images and the authorities of registries at an address.
fn names_at(address: &str) -> Vec<String> {
    let images = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}"]);
    let images = images.lines().map(str::to_owned);
    let certs = std::fs::read_dir("/etc/docker/certs.d")
        .into_iter()
        .flatten();
    let certs = certs.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    let prefix = format!("{address}:");
    images
        .chain(certs)
        .filter(|name| name.starts_with(&prefix))
        .collect()
}

/// What the steps ended with, as their lines tell.
#[track_caller]
fn assert_steps(run: &Run, marks: &str) {
    let lines = run.stdout.lines();
    let seen: String = lines
        .filter(|line| line.get(..1).is_none() && !line.starts_with('·'))
        .filter_map(|line| line.chars().next())
        .collect();
    assert_eq!(seen, marks, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn a_client_older_than_the_server_fails_the_image_and_cleans_up() {
    let newer = "upstream = \"postgres:18\"\nbase = \"postgres:13\"";
    let versions = table("13", "upstream = \"postgres:13\"", newer);
    let proof = Proof::of(
        "postgresql:13",
        &["--versions", versions.path().to_str().unwrap()],
    );
    let run = proof.running.wait().ended(1);
    assert_steps(&run, "✓✓✓✗–––––––✓");
    assert!(run.stdout.contains("✗  4  image build"), "{}", run.stdout);
    let why = "wrong client version: pg_dump (PostgreSQL) 13.";
    assert!(run.stdout.contains(why), "{}", run.stdout);
    assert!(
        run.stderr.contains("not proven: postgresql:13"),
        "{}",
        run.stderr
    );
    assert_eq!(Proof::leftovers(&proof.label), [""; 0]);
}

#[test]
fn a_server_that_ends_at_once_fails_the_first_step_and_the_report_says_so() {
    // Our own image is no server: it says what it lacks, and ends.
    let image = world().image("postgresql", 17);
    let upstream = format!("upstream = \"{image}\"");
    let versions = table("17", "upstream = \"postgres:17\"", &upstream);
    let versions = versions.path().to_str().unwrap();
    let proof = Proof::of("postgresql:17", &["--versions", versions]);
    let run = proof.running.wait().ended(1);
    assert_steps(&run, "✗––––––––––✓");
    let said = format!("{image} ended: ");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    assert_eq!(Proof::leftovers(&proof.label), [""; 0]);
    let text = std::fs::read_to_string(proof.reports.path().join("report.md")).unwrap();
    assert!(text.contains("✗ step 1, database container"), "{text}");
    let json = std::fs::read(proof.reports.path().join("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["rows"][0]["steps"][0]["state"], "failed");
    assert_eq!(json["rows"][0]["passed"], false);
}

#[test]
fn a_server_that_dies_on_the_way_fails_the_backup_and_cleans_up() {
    let proof = Proof::of("postgresql:17", &[]);
    proof.wait_for_step(4);
    docker(&["kill", &proof.container("db")]);
    let run = proof.running.wait().ended(1);
    assert_steps(&run, "✓✓✓✓✗––––––✓");
    assert!(run.stdout.contains("✗  5  backup"), "{}", run.stdout);
    assert!(run.stdout.contains("unreachable"), "{}", run.stdout);
    assert_eq!(Proof::leftovers(&proof.label), [""; 0]);
}

#[test]
fn ctrl_c_while_the_store_starts_leaves_nothing() {
    let proof = Proof::of("postgresql:17", &[]);
    proof.wait_for_step(2);
    proof.running.signal("INT");
    assert_interrupted(proof, 130, "✓✗–––––––––✓");
}

#[test]
fn a_stop_during_the_backup_leaves_nothing() {
    let proof = Proof::of("postgresql:15", &[]);
    proof.wait_for_step(5);
    proof.running.signal("TERM");
    assert_interrupted(proof, 143, "✓✓✓✓✗––––––✓");
}

#[test]
fn ctrl_c_during_the_push_leaves_no_tag_and_no_authority() {
    let proof = Proof::of("postgresql:18", &[]);
    proof.wait_for_step(7);
    let gateway = proof.gateway();
    let pushing = || (names_at(&gateway).len() > 1).then_some(());
    assert!(poll(PATIENCE, pushing).is_some(), "nothing was pushed");
    proof.running.signal("INT");
    assert_interrupted(proof, 130, "✓✓✓✓✓✓✗––––✓");
    assert_eq!(names_at(&gateway), [""; 0]);
}

#[test]
fn not_even_a_kill_during_the_restore_leaves_anything() {
    let proof = Proof::of("postgresql:17", &[]);
    proof.wait_for_step(7);
    let gateway = proof.gateway();
    proof.wait_for_step(10);
    assert_ne!(names_at(&gateway), [""; 0]);
    proof.running.signal("KILL");
    let label = proof.label.clone();
    assert_eq!(proof.running.wait().code, 137);
    let gone =
        || (Proof::leftovers(&label).is_empty() && names_at(&gateway).is_empty()).then_some(());
    let left = || (Proof::leftovers(&label), names_at(&gateway));
    assert!(poll(PATIENCE, gone).is_some(), "{:?}", left());
}

#[track_caller]
fn assert_interrupted(proof: Proof, code: i32, marks: &str) {
    let run = proof.running.wait().ended(code);
    assert_steps(&run, marks);
    assert!(run.stderr.contains("error: interrupted"), "{}", run.stderr);
    assert_eq!(Proof::leftovers(&proof.label), [""; 0]);
}

#[test]
fn images_of_postgresql_are_small() {
    for row in world().rows("postgresql") {
        let image = world().image("postgresql", &row.version);
        let (bytes, _) = xtask::docker::image_facts(&image).unwrap();
        assert!(bytes < 120_000_000, "{image} has {bytes} bytes");
    }
}
