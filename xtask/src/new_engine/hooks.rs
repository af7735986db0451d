//! NEWCOMER's part of the proof.

use super::{Client, Hooks, Measure, Program, ServerSpec};
use crate::server::Server;
use crate::shell::Result;

/// The engine's hooks.
pub struct Newcomer;

impl Hooks for Newcomer {
    fn server(&self) -> ServerSpec {
        ServerSpec {
            environment: vec![],
            args: vec![],
            ready: vec!["true"],
        }
    }

    fn server_version(&self, _: &Server) -> Result<String> {
        missing("way to ask its server's version")
    }

    fn client(&self, _: Program<'_>, _: &str) -> Result<Client> {
        missing("client to judge")
    }

    fn create_test_data(&self, _: &Server) -> Result<Measure> {
        missing("test data")
    }

    fn backup_environment(&self) -> Vec<(&'static str, String)> {
        vec![]
    }

    fn verify_restored_data(&self, _: &Server, _: &Measure) -> Result<String> {
        missing("eye for what was restored")
    }
}

fn missing<T>(what: &str) -> Result<T> {
    Err(format!("newcomer: this engine has no {what} yet").into())
}
