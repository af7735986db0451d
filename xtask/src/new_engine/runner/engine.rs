//! The engine seam, for NEWCOMER: what is not there yet is refused by name.

use runner_core::engine::{
    Database, Dump, Engine, Finished, Foreign, Opened, Piece, Probe, Restored, Scope, Target,
};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use runner_core::source::Backup;

use crate::options::Options;

/// NEWCOMER.
pub(crate) struct Newcomer;

impl Engine for Newcomer {
    const NAME: &'static str = "newcomer";
    const DEFAULT_PORT: u16 = 4711;
    const HAS_DATABASES: bool = true;
    type Options = Options;
    type Dump = NoDump;

    fn new(_: Database, _: Options) -> Result<Self> {
        Ok(Self)
    }

    async fn probe(&self) -> Result<Probe> {
        Err(missing("dump"))
    }

    async fn begin(&self, _: &Scope) -> Result<NoDump> {
        Err(missing("dump"))
    }

    async fn check_target(&self, _: &Manifest, _: &Target) -> Result<()> {
        Err(missing("restore"))
    }

    async fn restore(&self, _: &Backup, _: &Target) -> Result<Restored> {
        Err(missing("restore"))
    }

    async fn restore_foreign(&self, _: Foreign, _: &Target) -> Result<Restored> {
        Err(missing("restore of stock dumps"))
    }

    fn restore_by_hand(&self, _: &Manifest) -> String {
        missing("restore by hand").to_string()
    }
}

/// No dump has ever begun: there is no value of this type.
pub(crate) enum NoDump {}

impl Dump for NoDump {
    fn pieces(&self) -> &[Piece] {
        match *self {}
    }

    async fn open(&self, _: &Piece) -> Result<Opened> {
        match *self {}
    }

    async fn finish(self) -> Result<Finished> {
        match self {}
    }
}

fn missing(what: &str) -> Error {
    let why = format!("newcomer: this engine has no {what} yet");
    Error::new(Kind::Unfit, why)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runner_core::engine::Tls;

    use super::*;

    /// Fails until there is a dump; then it says what a server that is away looks like.
    #[tokio::test]
    async fn a_server_that_is_away_is_unreachable() {
        let database = Database {
            host: "127.0.0.1".into(),
            port: Some(1),
            name: Some("shop".into()),
            username: None,
            password: None,
            tls: Tls::default(),
            connect_timeout: Duration::from_millis(1),
            job_id: "test".into(),
        };
        let engine = Newcomer::new(database, Options).expect("an engine");
        let err = engine.probe().await.expect_err("nothing listens there");
        assert_eq!(err.kind(), Kind::Unreachable, "{err}");
    }
}
