//! A file that never touches a disk, for programs that insist on a path.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};
use crate::stream::ByteStream;

/// What shows in `/proc`; a caller's own name may be too long for it.
const LABEL: &str = "plan-b-backup";

/// An anonymous file in memory: written once, then sealed; mode 0600; gone with its last clone.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    file: Arc<File>,
    n_bytes: u64,
}

impl MemoryFile {
    /// Holds what the stream yields, which must end well within `limit_bytes`: it counts as this process's memory.
    pub async fn of_stream(name: &str, mut input: ByteStream, limit_bytes: u64) -> Result<Self> {
        let mut memory_file = Self::new(name)?;
        while let Some(block) = input.next().await {
            let block = block?;
            if memory_file.n_bytes + block.len() as u64 > limit_bytes {
                let what = format!(
                    "{name} has more than the {limit_bytes} bytes that memory is given to it"
                );
                return Err(Error::new(Kind::Unfit, what));
            }
            memory_file.write(name, &block)?;
        }
        memory_file.sealed(name)
    }

    /// Holds `bytes`, such as a password file's.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let mut memory_file = Self::new(name)?;
        memory_file.write(name, bytes)?;
        memory_file.sealed(name)
    }

    /// A path that our child processes, and theirs, can open for reading while this value lives. The descriptor
    /// is not inherited; the kernel lets a process of the same user through, as it would a debugger, also in a
    /// container without privileges.
    pub fn path_for_child(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn new(name: &str) -> Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // A hardened kernel insists on a file that cannot be executed; one before 6.3 does not know the flag.
        let file = match memfd_create(LABEL, flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(LABEL, flags),
            file => file,
        };
        let file = file.and_then(|file| {
            fchmod(&file, Mode::RUSR | Mode::WUSR)?;
            Ok(file)
        });
        Ok(Self {
            file: Arc::new(File::from(file.map_err(|err| failed(name, err))?)),
            n_bytes: 0,
        })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.n_bytes += bytes.len() as u64;
        (&*self.file)
            .write_all(bytes)
            .map_err(|err| failed(name, err))
    }

    fn sealed(self, name: &str) -> Result<Self> {
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&self.file, seals).map_err(|err| failed(name, err))?;
        Ok(self)
    }
}

fn failed(name: &str, err: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Bug, format!("hold {name} in a memory file")).because(err)
}
