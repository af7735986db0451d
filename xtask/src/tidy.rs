//! What must hold before a commit: format, lints, dependencies, rendered files, workflows, manifests.

use std::path::PathBuf;

use crate::project::Project;
use crate::render;
use crate::shell::{Context, Result, cmd, has};

/// The oldest and the newest Kubernetes whose own schemas the manifests are held against.
const KUBERNETES: [&str; 2] = ["1.31", "1.37"];
const VALIDATOR: &str = "kubernetes-validate==1.37.0";
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7";

pub fn run(project: &Project) -> Result<()> {
    render::check(project)?;
    workflows(project)?;
    manifests(project)?;
    project
        .cargo(["fmt", "--all", "--check"])
        .run()
        .context("run `cargo fmt`")?;
    let lint = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--features",
        "runner-core/testing",
    ];
    project
        .cargo(lint)
        .args(["--", "--deny", "warnings"])
        .run()?;
    if project.cargo(["deny", "--version"]).succeeds() {
        // It finds .cargo/deny.toml by itself; where `--config` stands has changed between its versions.
        project
            .cargo(["deny", "check", "bans", "sources", "licenses"])
            .run()?;
    } else {
        println!("  cargo-deny is not installed: dependencies not checked");
    }
    println!("tidy");
    Ok(())
}

/// Checks the workflows with actionlint: the one that is here or, where Go is, one that is compiled once.
fn workflows(project: &Project) -> Result<()> {
    let mut actionlint = PathBuf::from("actionlint");
    if !has("actionlint") {
        let (_, version) = ACTIONLINT.split_once('@').unwrap_or_default();
        let dir = project.cache(&format!("actionlint-{version}"))?;
        actionlint = dir.join("actionlint");
        if !actionlint.is_file() {
            let go = if has("go") {
                "go"
            } else {
                "/usr/local/go/bin/go"
            };
            let install = cmd(go)
                .args(["install", ACTIONLINT])
                .env("CGO_ENABLED", "0");
            let install = install.env("GOBIN", dir.to_string_lossy());
            if let Err(err) = install.read() {
                println!("  actionlint cannot be had, workflows not checked: {err}");
                return Ok(());
            }
        }
    }
    // Other linters that happen to be here would make the verdict depend on the machine.
    cmd(actionlint)
        .args(["-shellcheck=", "-pyflakes="])
        .dir(&project.root)
        .run()
}

/// Holds the manifests that users are given against Kubernetes' schemas, unknown fields included.
fn manifests(project: &Project) -> Result<()> {
    let dir = project.cache(&VALIDATOR.replace("==", "-"))?;
    let validator = dir.join("bin/kubernetes-validate");
    if !validator.is_file() {
        let venv = cmd("python3")
            .args(["-m", "venv"])
            .arg(dir.to_string_lossy());
        let pip = cmd(dir.join("bin/pip")).args(["install", "--quiet", VALIDATOR]);
        if let Err(err) = venv.read().and_then(|_| pip.read()) {
            println!("  {VALIDATOR} cannot be had, manifests not checked: {err}");
            return Ok(());
        }
    }
    let mut paths = Vec::new();
    let manifests = project.root.join("images/deploy/kubernetes");
    for entry in std::fs::read_dir(&manifests).context(manifests.display())? {
        paths.push(entry?.path().to_string_lossy().into_owned());
    }
    for version in KUBERNETES {
        cmd(&validator)
            .args(["--strict", "--quiet", "-k", version])
            .args(&paths)
            .run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    /// What the "restricted" Pod Security Standard asks for, and what a job of ours needs besides.
    const ASKED: [&str; 14] = [
        "runAsNonRoot: true",
        "type: RuntimeDefault",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "drop: [ALL]",
        "automountServiceAccountToken: false",
        "enableServiceLinks: false",
        "terminationGracePeriodSeconds: 30",
        "restartPolicy: Never",
        "podFailurePolicy:",
        "values: [1]",
        "values: [75]",
        "secretKeyRef:",
        "memory: 256Mi",
    ];

    const MANIFESTS: [&str; 2] = [
        include_str!("../../images/deploy/kubernetes/backup-cronjob.yaml"),
        include_str!("../../images/deploy/kubernetes/restore-job.yaml"),
    ];

    #[test]
    fn a_manifest_sets_only_what_the_readme_explains() {
        let readme = include_str!("../../README.md");
        let names = MANIFESTS.iter().flat_map(|manifest| manifest.lines());
        let names = names.filter_map(|line| line.trim_start().strip_prefix("- name: "));
        let settings: Vec<_> = names.filter(|it| it.contains(char::is_uppercase)).collect();
        assert!(settings.len() > 16, "{settings:?}");
        for name in settings {
            assert!(readme.contains(&format!("`{name}`")), "what is {name}?");
        }
    }

    #[test]
    fn a_manifest_asks_for_what_the_restricted_standard_wants_and_for_no_disk() {
        for manifest in MANIFESTS {
            for line in ASKED {
                let is_there = manifest.lines().any(|it| it.trim_start() == line);
                assert!(is_there, "no line {line:?} in {manifest}");
            }
            assert!(!manifest.contains("emptyDir") && !manifest.contains("volumes:"));
        }
    }
}
