//! A server that only its Go module brings, compiled once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::docker::docker;
use crate::project::{Project, make_dir};
use crate::shell::{Cmd, Context, Result, cmd};

const BUILD: Duration = Duration::from_secs(1800);

/// A directory with nothing but the program of a Go module, compiled once.
pub fn go_program(project: &Project, module: &str) -> Result<PathBuf> {
    let (path, version) = module.split_once('@').ok_or("a module without @version")?;
    let name = program_name(module);
    let dir = project.cache(&format!("{name}-{version}"))?;
    if !dir.join(name).is_file() {
        make_dir(&dir)?;
        println!("  compiling {path}, once: minutes for a large one …");
        go_install(module, &dir)
            .read()
            .context(format!("build {path}"))?;
    }
    Ok(dir)
}

/// A directory with the programs that a Go module of ours lists, compiled once for each state of it: in each line of its
/// `programs` a name, a package, and what the linker is to be told.
pub(super) fn go_module(project: &Project, source: &Path) -> Result<PathBuf> {
    // Several images are made of one module; who comes second finds all of it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock();
    let list = source.join("programs");
    let list = std::fs::read_to_string(&list).context(list.display())?;
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let dir = project.cache(&format!("{name}-{:016x}", fingerprint(source)?))?;
    for line in list.lines() {
        let mut words = line.splitn(3, ' ');
        let program = words.next().unwrap_or_default();
        if dir.join(program).is_file() {
            continue;
        }
        make_dir(&dir)?;
        println!("  compiling {program}, once: a minute or more …");
        let package = words.next().ok_or("a program without a package")?;
        let flags = format!("-ldflags=-s -w {}", words.next().unwrap_or_default());
        go_build(source, &dir, program)
            .args([flags.trim_end(), package])
            .limit(BUILD)
            .read()
            .context(format!("build {program}"))?;
    }
    Ok(dir)
}

/// Of what a module of ours is made.
pub(super) fn fingerprint(source: &Path) -> Result<u64> {
    let entries = std::fs::read_dir(source).context(source.display())?;
    let mut files: Vec<_> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hasher);
        std::fs::read(&file)
            .context(file.display())?
            .hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// What `go install` calls it.
pub(super) fn program_name(module: &str) -> &str {
    let path = module.split('@').next().unwrap_or(module);
    path.rsplit('/').next().unwrap_or(path)
}

/// A Go that fetches its own successor where a module asks for one.
pub fn go() -> Option<&'static str> {
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
    ["go", "/usr/local/go/bin/go"].into_iter().find(recent)
}

/// With the Go that is here or, where there is none, with Debian's in a container.
fn go_install(module: &str, dir: &Path) -> Cmd {
    let flags = ["-trimpath", "-ldflags=-s -w"];
    let install = match go() {
        Some(go) => cmd(go)
            .arg("install")
            .env("CGO_ENABLED", "0")
            .env("GOBIN", dir.to_string_lossy())
            .env("GOFLAGS", "-p=2"),
        None => in_container(dir, None, "GOBIN=/out go install \"$@\""),
    };
    install.args(flags).arg(module)
}

/// The same for one program of a module that is here, whose `go.sum` holds the checksums of all that it is made of.
fn go_build(source: &Path, dir: &Path, program: &str) -> Cmd {
    // A build that was broken off leaves no program behind.
    let script =
        |go: &str, out: &str| format!("{go} build \"$@\" && mv '{out}/new' '{out}/{program}'");
    let (build, out) = match go() {
        Some(go) => {
            let out = dir.display().to_string();
            let build = cmd("sh").args(["-euc", &script(go, &out), "sh"]);
            let build = build.env("CGO_ENABLED", "0").env("GOFLAGS", "-p=2");
            (build.dir(source), out)
        }
        None => {
            let build = in_container(dir, Some(source), &script("go", "/out"));
            (build, "/out".to_owned())
        }
    };
    build.args(["-trimpath", "-o", &format!("{out}/new")])
}

fn in_container(dir: &Path, source: Option<&Path>, script: &str) -> Cmd {
    let script = format!(
        "apt-get update -q && apt-get install -qy --no-install-recommends golang-go ca-certificates && \
         export CGO_ENABLED=0 GOFLAGS=-p=2 && {script}"
    );
    let out = format!("{}:/out", dir.display());
    let mut run = docker(["run", "--rm", "--volume", &out]);
    if let Some(source) = source {
        let source = format!("{}:/src:ro", source.display());
        run = run.args(["--volume", &source, "--workdir", "/src"]);
    }
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
    run.args(["debian:trixie-slim", "sh", "-c", &script, "sh"])
}
