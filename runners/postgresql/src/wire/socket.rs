//! Connecting: TCP or a Unix socket, with TLS as `DB_TLS_MODE` says.

use std::io;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use runner_core::engine::TlsMode;
use runner_core::error::{Error, Kind, Result};
use runner_core::socket::{Line, Socket, connect_tcp, connect_unix};
use runner_core::tls;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::client::TlsStream;

use super::Endpoint;

/// What SCRAM may bind the login to: the server certificate's hash, when there is TLS.
pub(super) type Binding = Option<Vec<u8>>;

/// Connects, and negotiates TLS where it is wanted.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<(Socket, Binding)> {
    if endpoint.host.starts_with('/') {
        let stream = connect_unix(endpoint.address())
            .await
            .map_err(|err| unreachable(endpoint, err))?;
        return Ok((Socket::Plain(stream), None));
    }
    let mut stream = connect_tcp(&endpoint.host, endpoint.port)
        .await
        .map_err(|err| unreachable(endpoint, err))?;
    let mode = endpoint.tls.mode;
    if mode == TlsMode::Disable {
        return Ok((Socket::Plain(stream), None));
    }
    if !offers_tls(&mut stream)
        .await
        .map_err(|err| unreachable(endpoint, err))?
    {
        if mode == TlsMode::Prefer {
            return Ok((Socket::Plain(stream), None));
        }
        return Err(Error::new(
            Kind::Denied,
            format!(
                "{} does not speak TLS and DB_TLS_MODE insists on it; turn on ssl in the server or set DB_TLS_MODE=disable",
                endpoint.address()
            ),
        ));
    }
    let address = endpoint.address();
    let stream = tls::handshake(&endpoint.tls, &endpoint.host, &address, stream).await?;
    let binding = binding(&stream);
    Ok((Socket::Tls(Box::new(stream)), binding))
}

async fn offers_tls(stream: &mut Line) -> io::Result<bool> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    Ok(stream.read_u8().await? == b'S')
}

fn unreachable(endpoint: &Endpoint, err: io::Error) -> Error {
    Error::new(
        Kind::Unreachable,
        format!("cannot connect to PostgreSQL on {}", endpoint.address()),
    )
    .because(err)
}

/// RFC 5929 hashes the certificate with its signature's hash, SHA-256 for MD5, SHA-1 and SHA-256. Other
/// signatures are rare on database servers; for them the login goes unbound.
fn binding(stream: &TlsStream<Line>) -> Binding {
    let chain = stream.get_ref().1.peer_certificates()?;
    let certificate = chain.first()?;
    signed_with_sha256(certificate).then(|| Sha256::digest(certificate).to_vec())
}

/// Looks for sha256WithRSAEncryption or ecdsa-with-SHA256, whose identifiers stand in the certificate.
fn signed_with_sha256(certificate: &CertificateDer<'_>) -> bool {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    [RSA, ECDSA]
        .iter()
        .any(|oid| certificate.windows(oid.len()).any(|window| window == *oid))
}
