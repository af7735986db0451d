//! What a fresh machine lacks: a Docker that answers, and the packages that make images where no registry does.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::docker;
use crate::project::Project;
use crate::shell::{self, Cmd, Context, Result, cmd, has, poll};

const DAEMON_START: Duration = Duration::from_secs(60);
const INSTALL: Duration = Duration::from_secs(900);

/// Returns when Docker answers; installs and starts the distribution's where there is none.
pub fn docker_answers(project: &Project) -> Result<()> {
    let Err(why) = docker::server_version() else {
        return Ok(());
    };
    if let Some(host) = std::env::var_os("DOCKER_HOST") {
        return Err(format!("DOCKER_HOST={} does not answer: {why}", host.display()).into());
    }
    if why.to_string().contains("permission denied") {
        return Err("Docker runs, but its socket is not yours: \
                    `sudo usermod -aG docker $USER` and log in again, or run this as root"
            .into());
    }
    if !has("docker") || !has("dockerd") {
        install(&["docker.io", "iptables"], "Docker 20.10 or newer")?;
        // From Debian 13 on the client is a package of its own.
        if !has("docker") {
            install(&["docker-cli"], "the Docker client")?;
        }
    }
    start(project)
}

/// A program, by the Debian package that has it.
pub fn program(name: &str, package: &str) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock();
    if has(name) {
        Ok(())
    } else {
        install(&[package], name)
    }
}

/// Installs Debian packages, as root or through sudo; elsewhere says what is missing.
pub fn install(packages: &[&str], what: &str) -> Result<()> {
    let debian = std::fs::read_to_string("/etc/os-release")
        .unwrap_or_default()
        .contains("debian");
    if !debian || !has("apt-get") {
        return Err(
            format!("{what} is missing, and this is no Debian: install it and run again").into(),
        );
    }
    println!("  installing {} …", packages.join(" "));
    let apt = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "Acquire::Retries=3",
        "-o",
        "DPkg::Lock::Timeout=300",
    ];
    // A broken third-party source fails the update, and the packages may be there all the same.
    let updated = as_root(apt)?.arg("update").limit(INSTALL).read();
    as_root(apt)?
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages)
        .limit(INSTALL)
        .read()
        .map(drop)
        .map_err(|err| match updated {
            Ok(_) => err,
            Err(update) => format!("{update}\n{err}").into(),
        })
        .context(format!("{what} is missing and could not be installed"))
}

fn start(project: &Project) -> Result<()> {
    println!("  starting the Docker daemon …");
    if Path::new("/run/systemd/system").exists() {
        as_root(["systemctl", "start", "docker"])?
            .read()
            .context("start Docker")?;
        return wait("see `journalctl -u docker`".into());
    }
    let log = project.cache("dockerd.log")?;
    let pid = project.cache("dockerd.pid")?;
    // Detached, so that the next command finds it running; the socket is the invoking user's group's.
    // A daemon that was killed leaves its pid file, and the next one refuses to start while anything has that number.
    let script = r#"
        for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
            old=$(cat "$file") || continue
            case "$(cat "/proc/$old/comm" 2>/dev/null) $(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$old/status" 2>/dev/null)" in
                *Z | " ") rm -f "$file" ;;
                dockerd* | containerd*) ;;
                *) rm -f "$file" ;;
            esac
        done 2>/dev/null
        setsid dockerd --group "$3" >"$1" 2>&1 </dev/null & echo $! >"$2""#;
    let group = cmd("id").arg("-g").read()?;
    as_root(["sh", "-c", script, "sh"])?
        .args([log.to_string_lossy(), pid.to_string_lossy(), group.into()])
        .run()
        .context("start dockerd")?;
    let said = || shell::tail(&std::fs::read_to_string(&log).unwrap_or_default(), 15);
    wait(format!("{} ends with", log.display())).map_err(|err| format!("{err}\n{}", said()).into())
}

fn wait(hint: String) -> Result<()> {
    match poll(DAEMON_START, || docker::server_version().ok()) {
        Some(_) => Ok(()),
        None => Err(format!(
            "Docker does not answer after {} s; {hint}",
            DAEMON_START.as_secs()
        )
        .into()),
    }
}

/// `program args…` with root's rights.
pub fn as_root<const N: usize>(words: [&str; N]) -> Result<Cmd> {
    if cmd("id").arg("-u").read()? == "0" {
        return Ok(cmd(words[0]).args(&words[1..]));
    }
    if cmd("sudo").args(["-n", "true"]).succeeds() {
        return Ok(cmd("sudo").arg("-n").args(words));
    }
    Err(format!(
        "`{}` needs root: run this as root, or allow sudo without a password",
        words.join(" ")
    )
    .into())
}
