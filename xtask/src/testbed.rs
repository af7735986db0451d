//! Real servers as images: pulled where a registry answers, else built from packages under the same names.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::docker::{self, Build, docker};
use crate::project::{Project, make_dir};
use crate::setup;
use crate::shell::{Cmd, Context, Result, cmd};
use crate::versions::StandIn;

/// How long a registry may take to say its first word; without one it is taken to be out of reach.
const FIRST_WORD: Duration = Duration::from_secs(6);
const PULL: Duration = Duration::from_secs(600);
/// On every stand-in: of what it was made, so that a changed recipe is noticed. An image without it is upstream's.
const LABEL: &str = "planb.stand-in";

/// Makes the named upstream images available, or all.
pub fn ready(project: &Project, only: Option<&[&str]>) -> Result<()> {
    setup::docker_answers(project)?;
    let testbed = Testbed {
        project,
        registry_is_dead: AtomicBool::new(false),
    };
    let mut missing = Vec::new();
    for (image, stand_in) in project.versions.servers() {
        if only.is_none_or(|only| only.contains(&image)) && !testbed.is_fresh(image, stand_in)? {
            missing.push((image, stand_in));
        }
    }
    // What has to be compiled takes longest: it goes first.
    missing.sort_by_key(|(_, stand_in)| stand_in.module.is_empty());
    let still_missing: Vec<_> = missing
        .into_iter()
        .filter(|(image, _)| !testbed.pulled(image))
        .collect();
    let suites: BTreeSet<_> = still_missing
        .iter()
        .map(|(_, it)| it.suite.as_str())
        .collect();
    in_parallel(suites.into_iter().collect(), |suite| testbed.base(suite))?;
    in_parallel(still_missing, |(image, stand_in)| {
        testbed.stand_in(image, stand_in)
    })
    .map(drop)
}

struct Testbed<'a> {
    project: &'a Project,
    registry_is_dead: AtomicBool,
}

impl Testbed<'_> {
    fn is_fresh(&self, image: &str, stand_in: &StandIn) -> Result<bool> {
        let recipe = self.fingerprint(stand_in)?;
        Ok(docker::image_label(image, LABEL).is_some_and(|it| it.is_empty() || it == recipe))
    }

    fn pulled(&self, image: &str) -> bool {
        if self.registry_is_dead.load(Ordering::Relaxed) {
            return false;
        }
        let pulled = (0..3).find_map(|_| match pull(image) {
            Pull::Done => Some(true),
            Pull::Refused => Some(false),
            Pull::Silent => {
                self.registry_is_dead.store(true, Ordering::Relaxed);
                Some(false)
            }
            Pull::Broken => None,
        });
        if pulled == Some(true) {
            println!("  {image}: pulled");
        }
        pulled.unwrap_or(false)
    }

    fn base(&self, suite: &str) -> Result<()> {
        let image = format!("debian:{suite}-slim");
        if docker::has_image(&image) || self.pulled(&image) {
            return Ok(());
        }
        let start = Instant::now();
        setup::program("mmdebstrap")?;
        let tarball = self
            .project
            .cache(&format!("{suite}-{}.tar", std::process::id()))?;
        let made = bootstrap(suite, &tarball);
        let removed = std::fs::remove_file(&tarball);
        made?;
        removed.context(tarball.display())?;
        println!(
            "  {image}: made by mmdebstrap in {} s",
            start.elapsed().as_secs()
        );
        Ok(())
    }

    fn stand_in(&self, image: &str, stand_in: &StandIn) -> Result<()> {
        let start = Instant::now();
        let recipes = self.project.root.join("images/testbed");
        let context = if stand_in.module.is_empty() {
            recipes.clone()
        } else {
            self.module(stand_in)?
        };
        Build {
            tag: image,
            dockerfile: &self.dockerfile(stand_in),
            context: &context,
            args: &[
                ("BASE", &format!("debian:{}-slim", stand_in.suite)),
                ("MAJOR", &stand_in.major),
            ],
            labels: &[(LABEL, &self.fingerprint(stand_in)?)],
        }
        .run()
        .context(format!("build a stand-in for {image}"))?;
        println!(
            "  {image}: built from packages in {} s",
            start.elapsed().as_secs()
        );
        Ok(())
    }

    fn dockerfile(&self, stand_in: &StandIn) -> PathBuf {
        self.project
            .root
            .join(format!("images/testbed/{}.Dockerfile", stand_in.recipe))
    }

    /// Of what a stand-in is made: its row, its Dockerfile and the script beside it.
    fn fingerprint(&self, stand_in: &StandIn) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        format!("{stand_in:?}").hash(&mut hasher);
        let dockerfile = self.dockerfile(stand_in);
        std::fs::read(&dockerfile)
            .context(dockerfile.display())?
            .hash(&mut hasher);
        let script = dockerfile.with_file_name(format!("{}-entrypoint.sh", stand_in.recipe));
        std::fs::read(script).unwrap_or_default().hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// A directory with nothing but the program of a Go module.
    fn module(&self, stand_in: &StandIn) -> Result<PathBuf> {
        let (module, version) = stand_in
            .module
            .split_once('@')
            .ok_or("a module without @version")?;
        let name = module.rsplit('/').next().unwrap_or(module);
        let dir = self.project.cache(&format!("{name}-{version}"))?;
        if dir.join(name).is_file() {
            return Ok(dir);
        }
        make_dir(&dir)?;
        println!("  compiling {module}, once: about 7 minutes on 2 cores …");
        go_install(&stand_in.module, &dir)
            .read()
            .context(format!("build {module}"))?;
        Ok(dir)
    }
}

/// With the Go that is here, or, where there is none that fetches its own successor, with Debian's in a container.
fn go_install(module: &str, dir: &Path) -> Cmd {
    let recent = |go: &&str| {
        let version = cmd(go)
            .args(["env", "GOVERSION"])
            .read()
            .unwrap_or_default();
        let minor = version
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse::<u32>().ok());
        minor.is_some_and(|minor| minor >= 21)
    };
    let flags = ["-trimpath", "-ldflags=-s -w"];
    if let Some(go) = ["go", "/usr/local/go/bin/go"].iter().find(|go| recent(go)) {
        let install = cmd(go)
            .arg("install")
            .args(flags)
            .arg(module)
            .env("CGO_ENABLED", "0");
        return install
            .env("GOBIN", dir.to_string_lossy())
            .env("GOFLAGS", "-p=2");
    }
    let script = "apt-get update -q && apt-get install -qy --no-install-recommends golang-go ca-certificates && \
                  GOBIN=/out CGO_ENABLED=0 GOFLAGS=-p=2 go install \"$@\"";
    let mut run = docker([
        "run",
        "--rm",
        "--volume",
        &format!("{}:/out", dir.display()),
    ]);
    let authorities = "/etc/ssl/certs/ca-certificates.crt";
    if Path::new(authorities).exists() {
        run = run.args(["--volume", &format!("{authorities}:/authorities.crt:ro")]);
        run = run.args(["--env", "SSL_CERT_FILE=/authorities.crt"]);
    }
    for name in [
        "GOPROXY",
        "GOSUMDB",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ] {
        run = run.args(["--env", name]);
    }
    run.args(["debian:trixie-slim", "sh", "-c", script, "sh"])
        .args(flags)
        .arg(module)
}

fn bootstrap(suite: &str, tarball: &Path) -> Result<()> {
    // A mirror may lag behind the date in a moving suite's release file; its signature is checked all the same.
    let options = [
        "--variant=minbase",
        "--aptopt=Acquire::Check-Valid-Until \"false\"",
        "--aptopt=Acquire::Retries \"3\"",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ];
    let tarball = tarball.to_string_lossy();
    cmd("mmdebstrap")
        .args(options)
        .args([suite, &tarball])
        .limit(PULL)
        .read()?;
    docker(["import", &tarball, &format!("debian:{suite}-slim")])
        .read()
        .map(drop)
}

enum Pull {
    Done,
    /// The registry answered, and has or gives no such image: final.
    Refused,
    /// Nothing answered.
    Silent,
    /// Something answered and broke off: worth another try.
    Broken,
}

fn pull(image: &str) -> Pull {
    let mut command = docker(["pull", image]).into_command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        return Pull::Silent;
    };
    let (send, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the time is up.
                let _ = send.send(line);
            }
        });
    }
    let answered = lines.recv_timeout(FIRST_WORD).is_ok();
    let end = Instant::now() + if answered { PULL } else { Duration::ZERO };
    while Instant::now() < end && child.try_wait().is_ok_and(|status| status.is_none()) {
        thread::sleep(Duration::from_millis(100));
    }
    // An error for a child that has just ended is no news.
    let _ = child.kill();
    let Ok(output) = child.wait_with_output() else {
        return Pull::Silent;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let refused = [
        "denied",
        "not found",
        "manifest unknown",
        "403",
        "404",
        "unauthorized",
    ];
    match (output.status.success(), answered) {
        (true, _) => Pull::Done,
        _ if refused.iter().any(|word| said.contains(word)) => Pull::Refused,
        (false, true) => Pull::Broken,
        (false, false) => Pull::Silent,
    }
}

/// Runs all of the work, as much at a time as there are cores; the results come in the order of the work.
pub fn in_parallel<T: Send, R: Send>(
    work: Vec<T>,
    run: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let n_items = work.len();
    let n_cores = thread::available_parallelism().map_or(1, usize::from);
    let n_workers = n_cores.max(2).min(n_items);
    let queue = Mutex::new(work.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(n_items));
    let worker = || {
        // A worker that panicked has poisoned the locks: the others end, and so do we.
        while let Some((at, item)) = queue.lock().ok().and_then(|mut queue| queue.next()) {
            let result = run(item);
            if let Ok(mut done) = done.lock() {
                done.push((at, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().map_err(|_| "a worker panicked")?;
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
