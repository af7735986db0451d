//! Where things are: the repository, the cache that outlives it, cargo and what it builds.

use std::path::{Path, PathBuf};

use crate::shell::{Cmd, Context, Result, cmd};
use crate::versions::Versions;

/// The repository that this xtask was built from, and its table of images.
pub struct Project {
    pub root: PathBuf,
    pub versions: Versions,
}

impl Project {
    pub fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .canonicalize();
        Self::at(root.context("the repository")?)
    }

    /// The repository at `root`.
    pub fn at(root: PathBuf) -> Result<Self> {
        Ok(Self {
            versions: Versions::load(&root)?,
            root,
        })
    }

    /// A path for what is expensive to make, shared by all checkouts on this machine.
    pub fn cache(&self, name: &str) -> Result<PathBuf> {
        let var = |name| std::env::var_os(name).map(PathBuf::from);
        let dir = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
        let dir = dir.unwrap_or_else(|| self.target()).join("planb-testbed");
        make_dir(&dir)?;
        Ok(dir.join(name))
    }

    /// Cargo's output directory.
    pub fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        self.root.join(target)
    }

    /// `cargo …` in the repository, free of what the cargo that runs us has set.
    pub fn cargo<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Cmd {
        let mut cargo = cmd("cargo").args(args).dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|p| name.starts_with(p))
            {
                cargo = cargo.without_env(&name);
            }
        }
        cargo
    }

    /// Builds a runner and yields its path: the release build is the one that ships.
    pub fn build_runner(&self, engine: &str, release: bool) -> Result<PathBuf> {
        let package = format!("{engine}-runner");
        println!(
            "  building {package} ({}) …",
            if release { "release" } else { "dev" }
        );
        self.build(&package, release)
    }

    /// Builds the program of a package and yields its path. A dev build makes all programs at once: one by one, each would
    /// ask for its own selection of features, and the heaviest libraries would be compiled as often as there are programs.
    /// This xtask is left out, as it runs.
    pub fn build(&self, package: &str, release: bool) -> Result<PathBuf> {
        let args: &[&str] = match release {
            true => &["--release", "--bin", package, "--package", package],
            false => &["--workspace", "--exclude=xtask", "--bins"],
        };
        let said = self
            .cargo(["build", "--message-format=json-render-diagnostics"])
            .args(args)
            .read_aloud()?;
        let executable = said
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message["target"]["name"] == package)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        Ok(executable.ok_or(format!("cargo built no executable {package}"))?)
    }
}

/// Creates a directory and its parents, or says which it could not.
pub fn make_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).context(format!("create {}", dir.display()))
}
