//! One row's twelve steps.

use super::objects::{self, Backup};
use super::registry::Registry;
use super::report::{Facts, RowReport, Steps};
use super::{Ground, Options};
use crate::build;
use crate::deploy;
use crate::docker::docker;
use crate::hooks::{self, Client, Hooks};
use crate::interrupt::{self, Interrupted};
use crate::leash::Leash;
use crate::project::Project;
use crate::server::{Minio, Network, Server};
use crate::shell::{Cmd, Context, Result, tail};
use crate::testbed;
use crate::versions::Row;

const BUCKET: &str = "planb-backups";
/// What a job gets in production: nothing to write to, no privileges, little memory, and any user.
const HARDENED: [&str; 5] = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=12345",
    "--memory=256m",
];

/// Proves one row, whatever comes; the signal that stopped it, if one did.
pub(super) fn prove(
    project: &Project,
    row: &Row,
    options: &Options,
) -> (RowReport, Option<Interrupted>) {
    let mut steps = Steps::new();
    let mut facts = Facts::default();
    let label = format!(
        "planb-verify={}-{}-{}",
        std::process::id(),
        row.engine,
        row.version
    );
    let leash = Leash::new(&label);
    let proved = leash
        .as_ref()
        .map_err(|err| err.to_string().into())
        .and_then(|leash| {
            let ground = Ground {
                project,
                row,
                options,
            };
            let network = Network::create(leash)?;
            Proof {
                ground,
                hooks: hooks::of(row)?,
                leash,
                network,
            }
            .run(&mut steps, &mut facts)
        });
    if let Err(err) = proved
        && steps.done.is_empty()
    {
        // Not even begun: the first step is the one that cannot be done.
        steps
            .run(1, || Err::<((), String), _>(err))
            .unwrap_or_default();
    }
    let interrupted = interrupt::take();
    if let Ok(leash) = leash {
        clean_up(leash, &mut steps, options.keep && interrupted.is_none());
    }
    let interrupted = interrupted.or_else(interrupt::take);
    let report = RowReport {
        row: row.name(),
        image: build::tag(row, options.dev),
        upstream: row.upstream.clone(),
        facts,
        passed: steps.passed(),
        unproven: None,
        seconds: steps.seconds(),
        steps: steps.done,
    };
    (report, interrupted)
}

/// The report on a row that cannot be proven on this machine: no step is green.
pub(super) fn unproven(row: &Row, options: &Options, why: String) -> RowReport {
    let mut steps = Steps::new();
    steps.skip(1, &why);
    RowReport {
        row: row.name(),
        image: build::tag(row, options.dev),
        upstream: row.upstream.clone(),
        facts: Facts::default(),
        passed: false,
        unproven: Some(why),
        seconds: steps.seconds(),
        steps: steps.done,
    }
}

fn clean_up(leash: Leash, steps: &mut Steps, keep: bool) {
    if keep {
        let filter = format!("label={}", leash.label());
        let kept = leash.release();
        let why = match kept {
            Ok(()) => format!(
                "--keep. When you are done: docker rm -fv $(docker ps -aqf {filter}); docker network prune -f --filter {filter}"
            ),
            Err(err) => format!("--keep, and {err}"),
        };
        return steps.skip(12, &why);
    }
    let made = inventory(leash.label());
    let cleaned = steps.run(12, || {
        leash.end()?;
        Ok((
            (),
            format!("{made}, image tags and certificates: nothing left"),
        ))
    });
    // The report has it.
    cleaned.unwrap_or_default();
}

fn inventory(label: &str) -> String {
    let filter = format!("label={label}");
    let count = |args: &[&str]| {
        docker(args)
            .args(["--quiet", "--filter", &filter])
            .read()
            .map_or(0, |it| it.lines().count())
    };
    format!(
        "{} containers and {} network",
        count(&["ps", "--all"]),
        count(&["network", "ls"])
    )
}

/// A row on the ground that its proof stands on.
struct Proof<'a> {
    ground: Ground<'a>,
    hooks: &'static dyn Hooks,
    leash: &'a Leash,
    network: Network<'a>,
}

impl Proof<'_> {
    fn run(&self, steps: &mut Steps, facts: &mut Facts) -> Result<()> {
        let Ground {
            project,
            row,
            options,
        } = self.ground;
        let (source, version) = steps.run(1, || self.server("db"))?;
        facts.server_version = Some(version.clone());
        let minio = steps.run(2, || self.minio())?;
        let before = steps.run(3, || {
            let measure = self.hooks.create_test_data(&source)?;
            let said = self.hooks.verify_restored_data(&source, &measure)?;
            Ok((measure, said.replace(": all equal", "")))
        })?;
        let client = steps.run(4, || self.image(&version, facts))?;
        facts.record_client(&client, &version);
        steps.run(5, || self.job("backup", &source, &minio))?;
        let backup = steps.run(6, || {
            let backup = objects::verify(project, &self.network, &minio, BUCKET, &self.path())?;
            let said = backup.to_string();
            Ok((backup, said))
        })?;
        (facts.objects, facts.stored_bytes) = (Some(backup.n_objects), Some(backup.stored_bytes));
        let pushed = steps.run(7, || {
            Registry::start(project, &self.network, self.leash)?
                .prove(&build::tag(row, options.dev), self.leash)
        })?;
        facts.digest = Some(pushed.digest.clone());
        if options.versions.is_some() {
            steps.skip(8, "jobs are made for the rows of images/versions.toml");
        } else {
            steps.run(8, || {
                let said = deploy::prove(project, row, &pushed.reference)?;
                Ok(((), format!("{said}, on a stand-in for Google")))
            })?;
        }
        steps.run(9, || {
            Ok(((), self.summary(&backup, &source, &pushed.reference)))
        })?;
        let restored = steps.run(10, || {
            let (target, _) = self.server("fresh")?.0;
            let ((), said) = self.job("restore", &target, &minio)?;
            Ok((target, said))
        })?;
        steps.run(11, || {
            Ok(((), self.hooks.verify_restored_data(&restored, &before)?))
        })
    }

    fn server(&self, host: &str) -> Result<((Server, String), String)> {
        let row = self.ground.row;
        let images = [&[row.upstream.as_str()], self.hooks.tools()].concat();
        testbed::ready(self.ground.project, Some(&images))?;
        let server = Server::start(&self.network, host, &row.upstream, &self.hooks.server())?;
        let version = self.hooks.server_version(&server)?;
        let said = format!("{}, which is {version}", row.upstream);
        Ok(((server, version), said))
    }

    fn minio(&self) -> Result<(Minio, String)> {
        let project = self.ground.project;
        let image = &project.versions.service("minio")?.upstream;
        testbed::ready(project, Some(&[image]))?;
        Ok((Minio::start(&self.network, image)?, image.clone()))
    }

    fn image(&self, server_version: &str, facts: &mut Facts) -> Result<(Client, String)> {
        let Ground {
            project,
            row,
            options,
        } = self.ground;
        let built = build::images(project, &[row], options.dev)?;
        let built = built.first().ok_or("no image")?;
        let run = |program: &[&str]| {
            let (program, args) = program.split_first().ok_or("no program")?;
            docker([
                "run",
                "--rm",
                "--network=none",
                "--label",
                self.leash.label(),
                "--entrypoint",
                program,
            ])
            .args(HARDENED)
            .arg(&built.image)
            .args(args)
            .read()
        };
        let client = self.hooks.client(&run, server_version)?;
        (facts.image_bytes, facts.image_id) = (Some(built.bytes), Some(built.digest.clone()));
        let said = match &client {
            Client::Own(client) => client.clone(),
            Client::StandIn(client) => {
                format!("stand-in client: {client} for a server {server_version}")
            }
        };
        Ok((
            client,
            format!(
                "{}, {:.1} MB, {said}",
                built.image,
                built.bytes as f64 / 1e6
            ),
        ))
    }

    /// The runner's image does one operation, as production would run it.
    fn job(&self, operation: &str, server: &Server, minio: &Minio) -> Result<((), String)> {
        let Ground { row, options, .. } = self.ground;
        let name = self.network.container(operation);
        let settings = [
            ("OPERATION_TYPE", operation.to_owned()),
            ("JOB_ID", format!("build-verify-{operation}")),
            ("DB_HOST", server.host().to_owned()),
            ("DB_PORT", row.port.to_string()),
            ("CONNECT_TIMEOUT", "10s".to_owned()),
            ("BACKUP_PATH", self.path()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        let run: Cmd = docker(["run", "--rm", "--name", &name])
            .args(self.network.docker_args())
            .args(HARDENED)
            .with(&settings)
            .with(&self.hooks.backup_environment())
            .with(&minio.environment(BUCKET));
        let output = run.arg(build::tag(row, options.dev)).output()?;
        let last = output.stderr.lines().last().unwrap_or_default();
        if !output.status.success() {
            return Err(format!(
                "the runner's {operation}: {}\n{}",
                output.status,
                tail(&output.stderr, 5)
            )
            .into());
        }
        let last: serde_json::Value =
            serde_json::from_str(last).context("the runner's last line")?;
        Ok(((), last["message"].as_str().unwrap_or_default().to_owned()))
    }

    /// Where the one backup lies.
    fn path(&self) -> String {
        format!(
            "verify/{}/{}",
            self.ground.row.engine, self.ground.row.version
        )
    }

    fn summary(&self, backup: &Backup, source: &Server, image: &str) -> String {
        let settings = self.hooks.backup_environment();
        let shown = settings
            .iter()
            .filter(|(name, _)| !name.contains("PASSWORD"));
        let shown: Vec<_> = shown
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "DB_HOST={} {}; {BUCKET}/{}: {} objects, {} bytes; {image}",
            source.host(),
            shown.join(" "),
            self.path(),
            backup.n_objects,
            backup.stored_bytes
        )
    }
}

impl Facts {
    fn record_client(&mut self, client: &Client, server_version: &str) {
        let (Client::Own(says) | Client::StandIn(says)) = client;
        self.client = Some(says.clone());
        if matches!(client, Client::StandIn(_)) {
            self.stand_in_client =
                Some(format!("{says} is newer than the server, {server_version}"));
        }
    }
}
