//! Restoring: everything checked, then keys replayed over several connections, then read back and compared.

mod load;
mod place;
mod proof;

use runner_core::engine::{Foreign, Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::{Artifact, Manifest};
use runner_core::source::Backup;
use runner_core::stream::ByteStream;
use runner_core::workers::unless_cancelled;

use crate::acl;
use crate::details::{Details, highest_database, only_database};
use crate::dump::RDB_KIND;
use crate::engine::Site;
use crate::walk;
use load::{Loaded, Loading};
use place::Place;

/// Refuses what cannot succeed, touching nothing.
pub(crate) async fn check(site: &Site, manifest: &Manifest, target: &Target) -> Result<()> {
    find(site, manifest, target).await.map(drop)
}

async fn find(site: &Site, manifest: &Manifest, target: &Target) -> Result<Place> {
    let details = Details::of(manifest)?;
    let server = site.server().await?;
    let place = Place::find(server, only_database(manifest)?, target).await?;
    place.check_version(details.version())?;
    place.check_reach(highest_database(manifest)).await?;
    if details.functions_differ && place.wanted.functions {
        return Err(Error::new(
            Kind::Unfit,
            "the masters that this backup is of held different libraries of functions, and there is no telling which are right; DB_NAME=0 restores the keys without them",
        ));
    }
    place.check_empty(details.n_functions > 0).await?;
    Ok(place)
}

/// Restores a backup of ours.
pub(crate) async fn ours(site: &Site, backup: &Backup, target: &Target) -> Result<Restored> {
    let manifest = backup.manifest();
    let place = find(site, manifest, target).await?;
    let rdbs: Vec<&Artifact> = backup.of_kind(RDB_KIND).collect();
    if rdbs.is_empty() {
        return Err(Error::new(
            Kind::Integrity,
            "manifest.json: no artifact of keys",
        ));
    }
    let n_bytes = rdbs.iter().map(|it| it.logical_bytes).sum();
    target.progress.begin("restore keys", n_bytes);
    let open = |rdb: &&Artifact| backup.open(rdb, target.progress.clone());
    let bodies = rdbs.iter().map(open).collect();
    let mut restored = fill(&place, bodies, Some(manifest), target).await?;
    let users = backup.of_kind("acl").next();
    if let Some(users) = users.filter(|_| site.options.acl && place.is_whole()) {
        for (n, master) in place.masters.iter().enumerate() {
            let body = backup.open(users, target.progress.clone());
            let mut connection = master.server.connect().await?;
            let n_made = acl::restore(&mut connection, body).await?;
            if n == 0 {
                restored.summary.push_str(&format!(", {n_made} users made"));
            }
        }
    }
    Ok(restored)
}

/// Reads an RDB that a server or a stock tool wrote to its end: every value, and its checksum.
pub(crate) async fn check_foreign(site: &Site, foreign: Foreign, target: &Target) -> Result<()> {
    let place = find_foreign(site, &foreign.name, target).await?;
    target.progress.begin("check", 0);
    let judge = place.clone();
    let takes = move |version| judge.check_version(version);
    let judged = walk::judged(foreign.body, takes, target.progress.clone()).await;
    let held = judged.map_err(|err| err.while_doing(format!("check {}", foreign.name)))?;
    place.check_reach(held.highest_database()).await
}

/// Restores an RDB that a server or a stock tool wrote.
pub(crate) async fn foreign(site: &Site, foreign: Foreign, target: &Target) -> Result<Restored> {
    let place = find_foreign(site, &foreign.name, target).await?;
    target.progress.begin("restore keys", 0);
    let restored = fill(&place, vec![foreign.body], None, target).await;
    restored.map_err(|err| err.while_doing(format!("restore {}", foreign.name)))
}

async fn find_foreign(site: &Site, name: &str, target: &Target) -> Result<Place> {
    if !name.to_ascii_lowercase().ends_with(".rdb") {
        return Err(Error::new(
            Kind::Unfit,
            format!("{name:?} is neither a backup of ours nor an .rdb of Redis or Valkey"),
        ));
    }
    let server = site.server().await?;
    let place = Place::find(server, None, target).await?;
    place.check_empty(true).await?;
    Ok(place)
}

/// Replays RDBs, then holds the server to them.
async fn fill(
    place: &Place,
    rdbs: Vec<ByteStream>,
    manifest: Option<&Manifest>,
    target: &Target,
) -> Result<Restored> {
    let loading = Loading { place, target };
    let loaded = loading.run(rdbs).await?;
    if let Some(manifest) = manifest {
        loaded.all.check_source(&manifest.tallies())?;
    }
    let n_verified = match target.verify {
        Verify::None => 0,
        verify => {
            let proven = proof::check(place, &loaded, target, verify);
            let proven = unless_cancelled(&target.cancel, proven).await;
            proven.map_err(|err| {
                err.while_doing(format!(
                    "{} keys were restored into {} and stay there",
                    loaded.n_sent,
                    place.title()
                ))
            })?
        }
    };
    Ok(Restored {
        n_verified,
        rows: loaded.n_sent,
        summary: summary(place, &loaded),
    })
}

fn summary(place: &Place, loaded: &Loaded) -> String {
    let mut text = format!("restored into {}", place.title());
    if loaded.n_expired > 0 {
        let n_expired = loaded.n_expired;
        text.push_str(&format!(", without {n_expired} keys whose time was over"));
    }
    let n_functions = loaded.wanted.n_functions() / place.masters.len() as u64;
    if n_functions > 0 {
        text.push_str(&format!(", {n_functions} libraries of functions"));
    }
    text
}
