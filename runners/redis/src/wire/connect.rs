//! Connecting: a socket, TLS as `DB_TLS_MODE` says, then the login.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use runner_core::engine::TlsMode;
use runner_core::error::{Error, Kind, Result};
use runner_core::socket::{Line, Socket, connect_tcp, connect_unix};
use runner_core::tls;

use super::{Connection, Endpoint, Reply};

/// Names of sockets in a directory, in the order in which they are tried.
const SOCKETS: [&str; 6] = [
    "redis.sock",
    "redis-server.sock",
    "valkey.sock",
    "valkey-server.sock",
    "redis_6379.sock",
    "valkey_6379.sock",
];

pub(super) async fn open(endpoint: &Endpoint) -> Result<Connection> {
    let mut connection = match endpoint.tls.mode {
        TlsMode::Disable => plain(endpoint).await?,
        _ if endpoint.host.starts_with('/') => plain(endpoint).await?,
        TlsMode::Prefer => preferably(endpoint).await?,
        _ => encrypted(endpoint).await?,
    };
    log_in(&mut connection, endpoint).await?;
    // A server that still loads its data answers a login, and says so only here.
    connection.call(&[b"PING"]).await?;
    name(&mut connection, endpoint).await?;
    Ok(connection)
}

/// A port of Redis speaks TLS or does not, and nothing is agreed on. One that does not would take TLS' greeting for the
/// beginning of a command and wait for more of it: so it is asked without TLS first, before any password is said.
async fn preferably(endpoint: &Endpoint) -> Result<Connection> {
    let mut connection = plain(endpoint).await?;
    if endpoint.without_tls.load(Ordering::Relaxed) {
        return Ok(connection);
    }
    match connection.ask(&[b"PING"]).await {
        Ok(_) => {
            endpoint.without_tls.store(true, Ordering::Relaxed);
            Ok(connection)
        }
        Err(why) => match encrypted(endpoint).await {
            // What speaks neither is told by what it said in plain text.
            Err(err) if err.kind() == Kind::Unreachable && why.kind() == Kind::Unfit => Err(why),
            result => result,
        },
    }
}

async fn plain(endpoint: &Endpoint) -> Result<Connection> {
    let line = line(endpoint).await?;
    Ok(session(endpoint, Socket::Plain(line)))
}

async fn encrypted(endpoint: &Endpoint) -> Result<Connection> {
    let line = line(endpoint).await?;
    let address = endpoint.address();
    let stream = tls::handshake(&endpoint.tls, &endpoint.host, &address, line).await?;
    Ok(session(endpoint, Socket::Tls(Box::new(stream))))
}

fn session(endpoint: &Endpoint, socket: Socket) -> Connection {
    Connection {
        socket,
        buf: BytesMut::new(),
        address: endpoint.address(),
    }
}

async fn line(endpoint: &Endpoint) -> Result<Line> {
    let address = endpoint.address();
    let refused =
        |err| Error::new(Kind::Unreachable, format!("cannot connect to {address}")).because(err);
    reach(endpoint).await.map_err(refused)
}

async fn reach(endpoint: &Endpoint) -> io::Result<Line> {
    let host = endpoint.host.as_str();
    if !host.starts_with('/') {
        return connect_tcp(host, endpoint.port).await;
    }
    if !Path::new(host).is_dir() {
        return connect_unix(host).await;
    }
    let there = SOCKETS.map(|name| Path::new(host).join(name));
    let found = there.iter().find(|path| path.exists()).unwrap_or(&there[0]);
    connect_unix(found).await
}

async fn log_in(connection: &mut Connection, endpoint: &Endpoint) -> Result<()> {
    let password = endpoint.password.as_ref().map_or("", |it| it.reveal());
    let words: &[&[u8]] = match &endpoint.user {
        Some(user) => &[b"AUTH", user.as_bytes(), password.as_bytes()],
        None if password.is_empty() => return Ok(()),
        None => &[b"AUTH", password.as_bytes()],
    };
    match connection.ask(words).await? {
        Reply::Error(text) => Err(connection.refusal(&text, words)),
        _ => Ok(()),
    }
}

/// Not every login may set its name, and nothing depends on it.
async fn name(connection: &mut Connection, endpoint: &Endpoint) -> Result<()> {
    let words: [&[u8]; 3] = [b"CLIENT", b"SETNAME", endpoint.client_name.as_bytes()];
    connection.ask(&words).await.map(drop)
}
