//! Connecting: a socket, the server's greeting, TLS as `DB_TLS_MODE` says, then the login.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use runner_core::engine::TlsMode;
use runner_core::error::{Error, Kind, Result};
use runner_core::socket::{Line, Socket, connect_tcp, connect_unix};
use runner_core::tls;

use super::packet::{Reader, server_error};
use super::{Connection, Endpoint, READ_BYTES, auth, protocol_bug};

const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 1 << 2;
const LOCAL_FILES: u32 = 1 << 7;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const MULTI_RESULTS: u32 = 1 << 17;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRS: u32 = 1 << 20;
/// What this client needs or uses, where the server has it. Not `DEPRECATE_EOF`: proxies are surest of the old way.
const WANTED: u32 = LONG_PASSWORD
    | LONG_FLAG
    | LOCAL_FILES
    | PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_RESULTS
    | PLUGIN_AUTH
    | CONNECT_ATTRS;
/// `utf8mb4_general_ci`, which every server served knows.
const CHARSET: u8 = 45;
const MAX_PACKET_BYTES: u32 = 1 << 30;

/// What the server says first.
#[derive(Debug, PartialEq)]
pub(super) struct Greeting {
    pub(super) id: u32,
    pub(super) capabilities: u32,
    /// What a password is scrambled with.
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: String,
}

impl Greeting {
    pub(super) fn parse(packet: &[u8]) -> Result<Self> {
        if packet.first() == Some(&0xff) {
            return Err(server_error(packet));
        }
        let mut reader = Reader(packet);
        if reader.u8()? != 10 {
            return Err(protocol_bug("a greeting of another version than 10"));
        }
        reader.until_zero(); // the server's version, which proxies make up
        let id = reader.u32()?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.skip(1)?;
        let low = u32::from(reader.u16()?);
        reader.skip(1 + 2)?; // character set, status
        let high = u32::from(reader.u16()?);
        let nonce_bytes = usize::from(reader.u8()?);
        reader.skip(10)?;
        let rest = reader.take(nonce_bytes.saturating_sub(8).max(13).min(reader.0.len()))?;
        nonce.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
        Ok(Self {
            id,
            capabilities: low | high << 16,
            nonce,
            plugin: String::from_utf8_lossy(reader.until_zero()).into_owned(),
        })
    }
}

pub(super) async fn open(endpoint: &Endpoint) -> Result<Connection> {
    let mode = endpoint.tls.mode;
    if mode == TlsMode::Prefer && endpoint.without_tls.load(Ordering::Relaxed) {
        return attempt(endpoint, TlsMode::Disable).await;
    }
    match attempt(endpoint, mode).await {
        // As libpq does: where TLS is merely preferred, a server whose TLS is too old is spoken to without.
        Err(err) if mode == TlsMode::Prefer && err.to_string().starts_with("TLS with") => {
            tracing::warn!(reason = %err, "no TLS could be agreed on; going on without (DB_TLS_MODE=prefer)");
            endpoint.without_tls.store(true, Ordering::Relaxed);
            attempt(endpoint, TlsMode::Disable).await
        }
        result => result,
    }
}

async fn attempt(endpoint: &Endpoint, mode: TlsMode) -> Result<Connection> {
    let address = endpoint.address();
    let line = connect(endpoint)
        .await
        .map_err(|err| refused(&address, err))?;
    let mut connection = Connection {
        socket: Socket::Plain(line),
        buf: BytesMut::with_capacity(READ_BYTES),
        sequence: 0,
        address,
        id: 0,
        busy: true,
    };
    let greeting = Greeting::parse(&connection.packet().await?)
        .map_err(|err| err.while_doing(format!("connect to {}", connection.address)))?;
    connection.id = greeting.id;
    let needed = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
    if greeting.capabilities & needed != needed {
        return Err(Error::new(
            Kind::Unfit,
            format!("{} is older than any server served", connection.address),
        ));
    }
    let capabilities = WANTED & greeting.capabilities;
    let (connection, is_private) = secure(connection, endpoint, mode, &greeting).await?;
    let tls = if matches!(connection.socket, Socket::Tls(_)) {
        SSL
    } else {
        0
    };
    auth::log_in(
        connection,
        endpoint,
        &greeting,
        capabilities | tls,
        is_private,
    )
    .await
}

async fn connect(endpoint: &Endpoint) -> io::Result<Line> {
    let host = endpoint.host.as_str();
    if !host.starts_with('/') {
        return connect_tcp(host, endpoint.port).await;
    }
    if !Path::new(host).is_dir() {
        return connect_unix(host).await;
    }
    let in_directory = |name: &str| Path::new(host).join(name);
    match connect_unix(in_directory("mysqld.sock")).await {
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            let line = connect_unix(in_directory("mysql.sock")).await;
            line.map_err(|_| err)
        }
        line => line,
    }
}

fn refused(address: &str, err: io::Error) -> Error {
    Error::new(Kind::Unreachable, format!("cannot connect to {address}")).because(err)
}

/// Goes over to TLS if that is wanted and offered; whether nobody can listen is the second value.
async fn secure(
    mut connection: Connection,
    endpoint: &Endpoint,
    mode: TlsMode,
    greeting: &Greeting,
) -> Result<(Connection, bool)> {
    let offered = greeting.capabilities & SSL != 0;
    let insisted = !matches!(mode, TlsMode::Disable | TlsMode::Prefer);
    match connection.socket {
        Socket::Plain(Line::Unix(_)) => return Ok((connection, true)),
        _ if mode == TlsMode::Disable => return Ok((connection, false)),
        _ if !offered && insisted => {
            return Err(Error::new(
                Kind::Denied,
                format!(
                    "{} does not speak TLS and DB_TLS_MODE insists on it; give the server a certificate or set DB_TLS_MODE=disable",
                    connection.address
                ),
            ));
        }
        _ if !offered => return Ok((connection, false)),
        _ => {}
    }
    let request = prologue((WANTED & greeting.capabilities) | SSL);
    connection.send(&request).await?;
    let Socket::Plain(stream) = connection.socket else {
        return Err(protocol_bug("TLS over a socket that has it already"));
    };
    let address = connection.address;
    let stream = tls::handshake(&endpoint.tls, &endpoint.host, &address, stream).await?;
    let connection = Connection {
        socket: Socket::Tls(Box::new(stream)),
        address,
        ..connection
    };
    Ok((connection, true))
}

/// How a login begins, and all that a request for TLS says.
pub(super) fn prologue(capabilities: u32) -> Vec<u8> {
    let mut message = capabilities.to_le_bytes().to_vec();
    message.extend_from_slice(&MAX_PACKET_BYTES.to_le_bytes());
    message.push(CHARSET);
    message.extend_from_slice(&[0; 23]);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_read_with_its_whole_nonce() {
        let mut packet = b"\x0a8.0.36\0\x2a\0\0\0abcdefgh\0".to_vec();
        packet.extend_from_slice(&[0xff, 0xf7, 45, 2, 0, 0xff, 0x81, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
        let greeting = Greeting::parse(&packet).unwrap();
        assert_eq!(greeting.id, 42);
        assert_eq!(greeting.capabilities, 0x81ff_f7ff);
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, "caching_sha2_password");
        let busy = b"\xff\x10\x04Too many connections";
        assert_eq!(Greeting::parse(busy).unwrap_err().kind(), Kind::Unreachable);
    }
}
