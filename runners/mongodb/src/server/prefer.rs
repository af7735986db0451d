//! `DB_TLS_MODE=prefer`: whether the server speaks TLS. There is no negotiation in MongoDB's protocol.

use std::future::pending;
use std::io;
use std::time::Duration;

use mongodb::bson::doc;
use runner_core::error::{Error, Kind, Result};
use runner_core::{socket, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::address::Address;

/// How long a server may take to answer in TLS; one that does not speak it may say nothing at all.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long it may take longer than for a greeting in plain.
const LONGER: Duration = Duration::from_millis(500);
/// The message that every server since 3.6 takes, and answers with.
const OP_MSG: u32 = 2013;

/// Greets the server both ways at once: what answers in TLS speaks it, and what answers in plain alone does not.
pub(super) async fn speaks_tls(address: &Address, limit: Duration) -> Result<bool> {
    let Some((host, port)) = &address.undecided else {
        return Ok(false);
    };
    if let Some(speaks) = address.speaks_tls.get() {
        return Ok(*speaks);
    }
    let stream = timeout(limit, socket::connect_tcp(host, *port)).await;
    let unreachable = || Error::new(Kind::Unreachable, format!("connect to {}", address.shown));
    let stream = stream.map_err(|err| unreachable().because(err))?;
    let stream = stream.map_err(|err| unreachable().because(err))?;
    let in_tls = tls::handshake(&address.tls, host, &address.shown, stream);
    let in_tls = timeout(limit.min(HANDSHAKE), in_tls);
    let in_plain = async {
        if !answers_in_plain(host, *port).await.unwrap_or(false) {
            pending::<()>().await;
        }
        tokio::time::sleep(LONGER).await;
    };
    let speaks = tokio::select! {
        answer = in_tls => matches!(answer, Ok(Ok(_))),
        () = in_plain => false,
    };
    Ok(*address.speaks_tls.get_or_init(|| speaks))
}

async fn answers_in_plain(host: &str, port: u16) -> io::Result<bool> {
    let mut stream = socket::connect_tcp(host, port).await?;
    stream.write_all(&greeting()?).await?;
    let mut header = [0; 16];
    stream.read_exact(&mut header).await?;
    Ok(header.last_chunk() == Some(&OP_MSG.to_le_bytes()))
}

/// `hello` as one section of a message: its length, a number, whose answer it is, what it is; no flags; the document.
fn greeting() -> io::Result<Vec<u8>> {
    let document = doc! { "hello": 1, "$db": "admin" }
        .to_vec()
        .map_err(io::Error::other)?;
    let n_bytes = (16 + 4 + 1 + document.len()) as u32;
    let words = [n_bytes, 1, 0, OP_MSG, 0];
    let mut message: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    message.push(0);
    message.extend(document);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_as_long_as_it_says() {
        let message = greeting().unwrap();
        assert_eq!(message[..4], (message.len() as u32).to_le_bytes());
        assert_eq!(message[12..16], [0xdd, 0x07, 0, 0]);
    }
}
