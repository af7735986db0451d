//! Keys into a server, or the masters of a cluster: RDBs are read on threads, and their keys replayed by `RESTORE` over
//! several connections.

mod feeder;
mod lane;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runner_core::codec::thread::through;
use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use runner_core::workers::{each, unless_cancelled};
use tokio::sync::mpsc::channel;
use tokio::sync::{Mutex, OnceCell, Semaphore, oneshot};

use super::place::Place;
use crate::census::Census;
use crate::cluster::{Master, Route};
use crate::rdb::{Keep, Reader};
use crate::server::now_ms;
use crate::walk::{Blocks, drain};
use feeder::{Fed, Feeder};
use lane::{Lane, Worker};

/// Commands on their way, in all connections: beyond, the readers wait. One value may be larger.
const IN_FLIGHT_BYTES: usize = 32 << 20;
/// Batches that wait for a connection.
const WAITING: usize = 8;

/// A load to be.
pub(super) struct Loading<'a> {
    pub(super) place: &'a Place,
    pub(super) target: &'a Target,
}

/// What a load brought.
pub(crate) struct Loaded {
    /// Everything that the RDBs held.
    pub(crate) all: Census,
    /// What should be in the target now, under its databases' numbers there.
    pub(crate) wanted: Census,
    pub(crate) n_sent: u64,
    pub(crate) n_expired: u64,
    /// When it was begun, by the target's clock.
    pub(crate) since: u64,
}

/// What all readers of a load share.
struct Shared {
    place: Place,
    route: Route,
    since: u64,
    /// Whether the target was cleared: by the first reader whose RDB turned out to be one that the target takes.
    cleared: OnceCell<()>,
}

impl Loading<'_> {
    /// Clears the target once an RDB turned out to be one that it takes, then fills it.
    pub(super) async fn run(&self, rdbs: Vec<ByteStream>) -> Result<Loaded> {
        let mut connection = self.place.server.connect().await?;
        let since = now_ms(&mut connection).await?;
        drop(connection);
        let shared = Arc::new(Shared {
            place: self.place.clone(),
            route: Route::of(&self.place.masters),
            since,
            cleared: OnceCell::new(),
        });
        let n_sent = Arc::new(AtomicU64::new(0));
        let (lanes, workers) = self.lanes(&n_sent);
        let work = async {
            let n_workers = workers.len();
            let work = each(
                workers,
                n_workers,
                &self.target.cancel,
                |worker, stop| async move { unless_cancelled(&stop, worker.run()).await },
            );
            // When it ends early nobody takes batches any more, and readers that still have some give up.
            work.await.map(drop)
        };
        let (sent, read) = tokio::join!(work, self.read(rdbs, lanes, &shared));
        let n_sent = n_sent.load(Ordering::Relaxed);
        let fed = sent.and(read).map_err(|err| match shared.cleared.get() {
            None => err,
            Some(()) => err.while_doing(format!(
                "{n_sent} keys were restored into {} and stay there; RESTORE_DROP_EXISTING=true begins anew",
                self.place.title()
            )),
        })?;
        let mut loaded = Loaded {
            all: Census::new(since),
            wanted: Census::new(since),
            n_sent,
            n_expired: 0,
            since,
        };
        for fed in fed {
            loaded.all.merge(&fed.all);
            loaded.wanted.merge(&fed.filled);
            loaded.n_expired += fed.n_expired;
        }
        Ok(loaded)
    }

    /// A lane to each master, and the workers that empty them: at least one for each.
    fn lanes(&self, n_sent: &Arc<AtomicU64>) -> (Vec<Lane>, Vec<Worker>) {
        let masters = &self.place.masters;
        let n_each = self
            .target
            .parallelism
            .div_ceil(masters.len().max(1))
            .max(1);
        let room = Arc::new(Semaphore::new(IN_FLIGHT_BYTES));
        let mut workers = Vec::new();
        let lane = |Master { server, .. }: &Master| {
            let (sender, receiver) = channel(WAITING);
            let receiver = Arc::new(Mutex::new(receiver));
            workers.extend((0..n_each).map(|_| Worker {
                server: server.clone(),
                receiver: Arc::clone(&receiver),
                n_sent: Arc::clone(n_sent),
                progress: self.target.progress.clone(),
            }));
            Lane::new(sender, Arc::clone(&room))
        };
        (masters.iter().map(lane).collect(), workers)
    }

    /// Reads the RDBs, several at once.
    async fn read(
        &self,
        rdbs: Vec<ByteStream>,
        lanes: Vec<Lane>,
        shared: &Arc<Shared>,
    ) -> Result<Vec<Fed>> {
        let (n_readers, cancel) = (self.target.parallelism, &self.target.cancel);
        let rdbs = rdbs.into_iter().enumerate().collect();
        let fed = each(rdbs, n_readers, cancel, move |(n, rdb), stop| {
            // All masters hold the same functions: those of one are enough.
            let feeder = Feeder::new(Arc::clone(shared), lanes.clone(), n == 0);
            async move { unless_cancelled(&stop, feed(rdb, feeder)).await }
        });
        fed.await
    }
}

/// Reads one RDB on its thread.
async fn feed(rdb: ByteStream, feeder: Feeder) -> Result<Fed> {
    let (say, fed) = oneshot::channel();
    let end = through(rdb, move |source, _| {
        let mut blocks = Blocks::new(source, None);
        let mut reader = Reader::new(&mut blocks, Keep::Parts)?;
        let done = feeder.read(&mut reader)?;
        drop(reader);
        blocks.finish()?;
        let _ = say.send(done);
        Ok(())
    });
    drain(end).await?;
    fed.await
        .map_err(|err| Error::new(Kind::Bug, "a load without a count").because(err))
}
