//! The proof: the target is read the way a backup would be, and holds what the backup holds.

use runner_core::engine::{Target, Verify};
use runner_core::error::Result;
use runner_core::workers::{each, unless_cancelled};

use super::load::Loaded;
use super::place::Place;
use crate::census::Census;
use crate::cluster::masters;
use crate::dump::{functions, scan};
use crate::replication::{self, Asked};
use crate::server::{Server, now_ms};
use crate::walk;
use crate::wanted::Wanted;

/// Compares the target with what was restored; how many tables were compared.
pub(super) async fn check(
    place: &Place,
    loaded: &Loaded,
    target: &Target,
    verify: Verify,
) -> Result<u64> {
    // Facts of the masters are of before.
    let server = Server::find(&place.server.endpoint, place.server.patience).await?;
    let masters = masters(&server).await?;
    let n_bytes = masters.iter().map(|it| it.server.data_bytes()).sum();
    target.progress.begin("prove", n_bytes);
    let wanted = Wanted {
        database: place.into,
        functions: place.wanted.functions,
        ..Wanted::default()
    };
    let n_workers = target.parallelism;
    let found = each(masters, n_workers, &target.cancel, |master, stop| {
        let (wanted, target, since) = (wanted.clone(), target.clone(), loaded.since);
        async move {
            let work = async {
                let found = read(&master.server, &wanted, since, &target).await?;
                let mut connection = master.server.connect().await?;
                Ok((found, now_ms(&mut connection).await?))
            };
            unless_cancelled(&stop, work).await
        }
    });
    let mut all = Census::new(loaded.since);
    let mut moment = 0;
    for (found, read_at) in found.await? {
        all.merge(&found);
        moment = moment.max(read_at);
    }
    let n_ended = loaded.wanted.n_ended(moment);
    if n_ended > 0 {
        tracing::info!(
            keys = n_ended,
            "not compared: their time came while they were restored"
        );
    }
    loaded.wanted.check(&all, moment, verify)
}

async fn read(server: &Server, wanted: &Wanted, since: u64, target: &Target) -> Result<Census> {
    let progress = target.progress.clone();
    match replication::ask(server).await? {
        Asked::Begun(begun) => {
            let rdb = begun.connection.snapshot();
            walk::counted(rdb, since, wanted.clone(), progress).await
        }
        Asked::Refused(why) => {
            tracing::info!(reason = why, "read back key by key");
            let functions = match wanted.functions {
                true => functions(&mut server.connect().await?).await?,
                false => Vec::new(),
            };
            let scan = scan(server, wanted, target.parallelism, &target.cancel);
            walk::counted_records(scan.records(), since, functions, progress).await
        }
    }
}
