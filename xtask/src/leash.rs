//! What we made on a leash: containers, networks, volumes, image tags and files go when we end, however we end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Mutex;

use crate::docker::{docker, has_image};
use crate::shell::{Context, Result, cmd};

/// Waits for the pipe to us to close, which even SIGKILL does, and removes everything with the label and everything
/// that was named on the pipe. Unless the last word there was `end`, a container may still be on its way: look twice.
/// `keep` is for who wants to look into the containers.
const REAPER: &str = r#"
label=$0; named=; looks=2
while IFS= read -r line; do
    case "$line" in
        end) looks=1 ;;
        keep) looks=0 ;;
        *) named="$line
$named" ;;
    esac
done
root=; [ "$(id -u)" = 0 ] || root="sudo -n"
sweep() {
    containers=$(docker ps --all --quiet --filter "label=$label")
    networks=$(docker network ls --quiet --filter "label=$label")
    volumes=$(docker volume ls --quiet --filter "label=$label")
    [ -n "$containers$networks$volumes" ] || return 1
    [ -z "$containers" ] || docker rm --force --volumes $containers
    [ -z "$networks" ] || docker network rm $networks
    [ -z "$volumes" ] || docker volume rm --force $volumes || sleep 1
}
for look in $(seq $looks); do
    [ "$look" = 1 ] || sleep 2
    for try in $(seq 20); do sweep || break; done
done
printf %s "$named" | while read -r what name; do
    case "$what" in
        tag) docker rmi --no-prune "$name" ;;
        tree) rm -rf "$name" ;;
        root-file) $root rm -f "$name" ;;
        root-dir) $root rmdir "$name" ;;
    esac
done
"#;

/// While this lives, what is on it may live.
pub struct Leash {
    label: String,
    pipe: Option<ChildStdin>,
    reaper: Child,
    /// What was named on the pipe: image tags, and paths.
    named: Mutex<(Vec<String>, Vec<PathBuf>)>,
}

impl Leash {
    /// `label` is `name=value`, unique to this process; containers, networks and volumes with it are on the leash.
    pub fn new(label: impl Into<String>) -> Result<Self> {
        let label = label.into();
        let mut command = cmd("sh").args(["-c", REAPER, &label]).into_command();
        // A group of its own: Ctrl-C at the terminal ends us, and then the reaper does its work.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut reaper = command.spawn().context("start the reaper of containers")?;
        Ok(Self {
            label,
            pipe: reaper.stdin.take(),
            reaper,
            named: Mutex::default(),
        })
    }

    /// The label that every container, network and volume on this leash must carry.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// An image tag that is about to be set: the tag goes, what it names stays where it has another name.
    pub fn tag(&self, name: &str) -> Result<()> {
        if let Ok(mut named) = self.named.lock() {
            named.0.push(name.to_owned());
        }
        self.tell("tag", name)
    }

    /// A directory of our own that is about to be made, with everything in it.
    pub fn tree(&self, path: &Path) -> Result<()> {
        self.path("tree", path)
    }

    /// A file that is about to be written with root's rights.
    pub fn root_file(&self, path: &Path) -> Result<()> {
        self.path("root-file", path)
    }

    /// A directory that is about to be made with root's rights; it goes if it is empty.
    pub fn root_dir(&self, path: &Path) -> Result<()> {
        self.tell("root-dir", &path.display().to_string())
    }

    /// Removes everything now, and fails when something is left.
    pub fn end(mut self) -> Result<()> {
        let label = format!("label={}", self.label);
        self.tell("end", "")?;
        self.close();
        let listings = [
            ["ps", "--all", "--format={{.Names}}"].as_slice(),
            &["network", "ls", "--format={{.Name}}"],
            &["volume", "ls", "--format={{.Name}}"],
        ];
        for listing in listings {
            let left = docker(listing).args(["--filter", &label]).read()?;
            if !left.is_empty() {
                return Err(format!("not removed: {}", left.replace('\n', ", ")).into());
            }
        }
        let (tags, paths) = match self.named.get_mut() {
            Ok(named) => std::mem::take(named),
            Err(_) => return Err("the list of what to remove is lost".into()),
        };
        let tags = tags.into_iter().filter(|tag| has_image(tag));
        let paths = paths.into_iter().filter(|path| path.exists());
        let left: Vec<_> = tags
            .chain(paths.map(|path| path.display().to_string()))
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("not removed: {}", left.join(", ")).into()),
        }
    }

    /// Lets containers, networks and volumes stay; image tags and files go.
    pub fn release(mut self) -> Result<()> {
        self.tell("keep", "")?;
        self.close();
        Ok(())
    }

    fn path(&self, what: &str, path: &Path) -> Result<()> {
        if let Ok(mut named) = self.named.lock() {
            named.1.push(path.to_owned());
        }
        self.tell(what, &path.display().to_string())
    }

    fn tell(&self, what: &str, name: &str) -> Result<()> {
        let mut pipe = self.pipe.as_ref().ok_or("the leash has ended")?;
        let line = format!("{what} {name}");
        pipe.write_all(format!("{}\n", line.trim_end()).as_bytes())
            .context("tell the reaper of containers")
    }

    fn close(&mut self) {
        // Dropping the pipe is the signal; there is nobody left to tell about a failure.
        drop(self.pipe.take());
        let _ = self.reaper.wait();
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.pipe.is_some() {
            // The reaper sees the pipe close in any case.
            let _ = self.tell("end", "");
        }
        self.close();
    }
}
