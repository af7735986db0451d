//! A store that fails when it is told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::store::{Commit, Listed, Store};
use crate::stream::ByteStream;

/// A method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Prepare,
    Put,
    Get,
    List,
    ListDirs,
    Delete,
    Commit,
    AbortStale,
}

/// Which calls a fault meets.
#[derive(Clone, Debug)]
pub enum On {
    /// Only the `n`th, counted from 1.
    Nth(u64),
    /// Those whose object's name holds this text.
    Named(String),
    Every,
}

/// What happens to them.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error before anything has happened.
    Fail(Kind),
    /// It happens, and then an error says that it did not.
    FailAfterwards(Kind),
    /// The connection of a put or get is lost for good after so many bytes.
    CutAfter(u64),
    /// A get ends without an error after so many bytes, as from a store that lost the rest.
    EndAfter(u64),
    /// A get yields one flipped bit in the byte at this position.
    FlipAt(u64),
    Delay(Duration),
    /// Waits until the test opens the gate.
    Hold(Gate),
}

/// Where a call and a test wait for each other.
#[derive(Clone, Debug)]
pub struct Gate(Arc<[Semaphore; 2]>);

impl Gate {
    #[expect(
        clippy::new_without_default,
        reason = "a gate that nobody keeps can never open"
    )]
    pub fn new() -> Self {
        Self(Arc::new([Semaphore::new(0), Semaphore::new(0)]))
    }

    /// Returns once a call stands at the gate.
    pub async fn reached(&self) {
        self.pass(0).await;
    }

    /// Lets one call through.
    pub fn open(&self) {
        self.0[1].add_permits(1);
    }

    /// Stands at the gate until it opens.
    pub(super) async fn wait(&self) {
        self.0[0].add_permits(1);
        self.pass(1).await;
    }

    async fn pass(&self, side: usize) {
        if let Ok(permit) = self.0[side].acquire().await {
            permit.forget();
        }
    }
}

/// Passes everything on to another store, except where a fault is scripted; remembers every call.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    rules: Vec<(Call, On, Fault)>,
    calls: Vec<(Call, String)>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
        }
    }

    /// Adds a fault; the first that fits a call is the one that meets it.
    #[must_use]
    pub fn with(self, call: Call, on: On, fault: Fault) -> Self {
        self.script().rules.push((call, on, fault));
        self
    }

    /// Every call so far, with its object's name or prefix.
    pub fn calls(&self) -> Vec<(Call, String)> {
        self.script().calls.clone()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, call: Call, name: &str) -> Option<Fault> {
        let mut script = self.script();
        script.calls.push((call, name.to_owned()));
        let n_calls = script
            .calls
            .iter()
            .filter(|(seen, _)| *seen == call)
            .count() as u64;
        let rule = script.rules.iter().find(|(expected, on, _)| {
            *expected == call
                && match on {
                    On::Nth(n) => *n == n_calls,
                    On::Named(text) => name.contains(text.as_str()),
                    On::Every => true,
                }
        });
        rule.map(|(_, _, fault)| fault.clone())
    }

    /// What must happen before the call; `Err` when it must not happen at all. What is left to do during
    /// or after the call comes back.
    async fn before(&self, call: Call, name: &str) -> Result<Option<Fault>> {
        match self.meet(call, name) {
            Some(Fault::Fail(kind)) => Err(scripted(kind, call, name)),
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                Ok(None)
            }
            Some(Fault::Hold(gate)) => {
                gate.wait().await;
                Ok(None)
            }
            fault => Ok(fault),
        }
    }
}

fn scripted(kind: Kind, call: Call, name: &str) -> Error {
    Error::new(kind, format!("scripted fault of {call:?} {name}"))
}

fn after<T>(done: Result<T>, fault: Option<Fault>, call: Call, name: &str) -> Result<T> {
    match fault {
        Some(Fault::FailAfterwards(kind)) => Err(scripted(kind, call, name)),
        _ => done,
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn max_object_bytes(&self) -> u64 {
        self.inner.max_object_bytes()
    }

    fn put_memory_bytes(&self) -> u64 {
        self.inner.put_memory_bytes()
    }

    async fn prepare(&self) -> Result<()> {
        let fault = self.before(Call::Prepare, "").await?;
        after(self.inner.prepare().await, fault, Call::Prepare, "")
    }

    async fn put(&self, name: &str, body: ByteStream, cancel: &CancellationToken) -> Result<()> {
        let fault = tokio::select! {
            fault = self.before(Call::Put, name) => fault?,
            () = cancel.cancelled() => {
                return Err(Error::new(Kind::Interrupted, format!("put {name} was interrupted")));
            }
        };
        let body = match &fault {
            Some(fault) => spoil(body, fault, Call::Put, name),
            None => body,
        };
        after(
            self.inner.put(name, body, cancel).await,
            fault,
            Call::Put,
            name,
        )
    }

    async fn get(&self, name: &str, offset: u64) -> Result<ByteStream> {
        let fault = self.before(Call::Get, name).await?;
        let body = self.inner.get(name, offset).await?;
        Ok(match &fault {
            Some(fault) => spoil(body, fault, Call::Get, name),
            None => body,
        })
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed>> {
        match self.meet(Call::List, prefix) {
            Some(Fault::Fail(kind)) => {
                stream::once(std::future::ready(Err(scripted(kind, Call::List, prefix)))).boxed()
            }
            _ => self.inner.list(prefix),
        }
    }

    async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        self.before(Call::ListDirs, prefix).await?;
        self.inner.list_dirs(prefix).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let fault = self.before(Call::Delete, name).await?;
        after(self.inner.delete(name).await, fault, Call::Delete, name)
    }

    async fn commit(&self, name: &str, bytes: Bytes) -> Result<Commit> {
        let fault = self.before(Call::Commit, name).await?;
        after(
            self.inner.commit(name, bytes).await,
            fault,
            Call::Commit,
            name,
        )
    }

    async fn abort_stale(&self, prefix: &str, age: Duration, now: Timestamp) -> Result<u64> {
        let fault = self.before(Call::AbortStale, prefix).await?;
        let aborted = self.inner.abort_stale(prefix, age, now).await;
        after(aborted, fault, Call::AbortStale, prefix)
    }
}

/// The body with the fault in it.
fn spoil(body: ByteStream, fault: &Fault, call: Call, name: &str) -> ByteStream {
    let (at, end) = match *fault {
        Fault::CutAfter(at) => (at, Some(Err(scripted(Kind::Store, call, name)))),
        Fault::EndAfter(at) => (at, None),
        Fault::FlipAt(at) => return flip(body, at),
        _ => return body,
    };
    let mut left = at;
    body.map(move |item| match item {
        Ok(mut bytes) => {
            let n = left.min(bytes.len() as u64);
            left -= n;
            bytes.truncate(n as usize);
            (Ok(bytes), left == 0)
        }
        Err(error) => (Err(error), false),
    })
    .scan(false, |ended, (item, is_last)| {
        let skip = std::mem::replace(ended, is_last);
        std::future::ready((!skip).then_some(item))
    })
    .chain(stream::iter(end))
    .boxed()
}

fn flip(body: ByteStream, at: u64) -> ByteStream {
    let mut before = 0;
    body.map(move |item| {
        let bytes = item?;
        let start = before;
        before += bytes.len() as u64;
        if !(start..before).contains(&at) {
            return Ok(bytes);
        }
        let mut spoilt = BytesMut::from(&bytes[..]);
        spoilt[(at - start) as usize] ^= 1;
        Ok(spoilt.freeze())
    })
    .boxed()
}
