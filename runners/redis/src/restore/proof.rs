//! The proof: the target is read the way a backup would be, and holds what the backup holds.

use runner_core::engine::{Target, Verify};
use runner_core::error::Result;

use super::load::Loaded;
use super::place::Place;
use crate::census::Census;
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
    // Its facts are of before.
    let server = place.server.endpoint.clone();
    let server = Server::find(&server, place.server.patience).await?;
    let mut connection = server.connect().await?;
    target.progress.begin("prove", server.data_bytes());
    let wanted = Wanted {
        database: place.into,
        functions: place.wanted.functions,
        ..Wanted::default()
    };
    let found = read(&server, &wanted, loaded.since, target).await?;
    let moment = now_ms(&mut connection).await?;
    let n_ended = loaded.wanted.n_ended(moment);
    if n_ended > 0 {
        tracing::info!(
            keys = n_ended,
            "not compared: their time came while they were restored"
        );
    }
    loaded.wanted.check(&found, moment, verify)
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
