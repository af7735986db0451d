//! A server that only its Go module brings, compiled once.

use std::path::{Path, PathBuf};

use crate::docker::docker;
use crate::project::{Project, make_dir};
use crate::shell::{Cmd, Context, Result, cmd};

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
    if let Some(go) = go() {
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
