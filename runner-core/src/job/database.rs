//! Which database, and how to reach it.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{EngineFacts, Operation};
use crate::engine::{Database, Tls, TlsMode};
use crate::env::{Env, Key, Origin, parse};

pub const KEYS: &[Key] = &[
    Key::plain(
        "DB_ENGINE",
        "the runner's own",
        "Engine that is expected; a different one is refused",
    ),
    Key::plain(
        "DB_HOST",
        "localhost",
        "Name or address of the server; a path that starts with `/` is the directory of a Unix socket",
    ),
    Key::plain(
        "DB_PORT",
        "the engine's port",
        "Port of the server; of the `tcp://host:port` that Kubernetes injects, the port is used",
    ),
    Key::plain(
        "DB_NAME",
        "required for a backup where the engine has databases; the backed-up name on restore",
        "Database to back up or to restore into; `*` is every user database, globals included",
    ),
    Key::plain(
        "DB_USERNAME",
        "the engine's convention",
        "Login to the database",
    ),
    Key::secret("DB_PASSWORD", "", "Password of the login"),
    Key::plain(
        "DB_TLS_MODE",
        "prefer",
        "How far TLS is insisted on: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
    ),
    Key::plain(
        "DB_TLS_CA_FILE",
        "the system's",
        "Certificate authorities (PEM) that the server's certificate is checked with",
    ),
    Key::plain("DB_TLS_CERT_FILE", "", "Client certificate (PEM)"),
    Key::plain(
        "DB_TLS_KEY_FILE",
        "",
        "Private key of the client certificate (PEM)",
    ),
    Key::plain(
        "CONNECT_TIMEOUT",
        "60s",
        "How long to wait for the database to accept connections; a refusal is not retried",
    ),
];

#[derive(Default, Deserialize)]
struct Raw {
    db_engine: Option<String>,
    db_host: Option<String>,
    db_port: Option<String>,
    db_name: Option<String>,
    db_username: Option<String>,
    db_tls_mode: Option<String>,
    db_tls_ca_file: Option<PathBuf>,
    db_tls_cert_file: Option<PathBuf>,
    db_tls_key_file: Option<PathBuf>,
    connect_timeout: Option<String>,
}

const TLS_MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];

pub(super) fn read(
    env: &mut Env,
    facts: &EngineFacts,
    operation: Operation,
    job_id: &str,
) -> Database {
    let raw = env.typed::<Raw>();
    let own = facts.name;
    env.resolve("DB_NAME", "", Origin::Default);
    env.resolve("DB_ENGINE", own, Origin::Default);
    env.resolve("DB_PORT", facts.default_port.to_string(), Origin::Default);
    env.check("DB_ENGINE", raw.db_engine, (), |text| {
        let is_own = text.eq_ignore_ascii_case(own);
        is_own
            .then_some(())
            .ok_or_else(|| format!("this is the runner for {own}; use the image of that engine"))
    });
    if facts.has_databases && operation == Operation::Backup && raw.db_name.is_none() {
        env.problem("DB_NAME is required: the database to back up, or * for all".to_owned());
    }
    let is_injected = raw.db_port.as_ref().is_some_and(|it| it.contains("://"));
    if is_injected && raw.db_host.is_none() {
        env.warn(
            "DB_PORT is an address as Kubernetes injects it: its port is used, and the host stays localhost as DB_HOST is not set"
                .to_owned(),
        );
    }
    if raw.db_tls_cert_file.is_some() != raw.db_tls_key_file.is_some() {
        env.problem("DB_TLS_CERT_FILE and DB_TLS_KEY_FILE need each other; set both".to_owned());
    }
    Database {
        port: env.check("DB_PORT", raw.db_port, None, |it| parse::port(it).map(Some)),
        tls: Tls {
            mode: env.check("DB_TLS_MODE", raw.db_tls_mode, TlsMode::Prefer, |it| {
                parse::choice(it, TLS_MODES)
            }),
            ca_file: raw.db_tls_ca_file,
            cert_file: raw.db_tls_cert_file,
            key_file: raw.db_tls_key_file,
        },
        connect_timeout: env.check(
            "CONNECT_TIMEOUT",
            raw.connect_timeout,
            Duration::from_secs(60),
            parse::duration,
        ),
        host: raw.db_host.unwrap_or_else(|| "localhost".to_owned()),
        // A server without names for its databases is backed up whole unless told otherwise.
        name: raw.db_name.or_else(|| {
            let whole = !facts.has_databases && operation == Operation::Backup;
            whole.then(|| "*".to_owned())
        }),
        username: raw.db_username,
        password: env.secret("DB_PASSWORD"),
        job_id: job_id.to_owned(),
    }
}
