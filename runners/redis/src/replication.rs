//! Asking for a snapshot as a replica does.
//!
//! Not `SYNC`, which tells no place in the server's history, and not `redis-cli --rdb`, which would be a program more to
//! ship and could not be read key by key on the way.

use runner_core::error::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::server::Server;
use crate::wire::{Connection, Reply, is_forbidden};

/// A snapshot that the server has begun, or why it begins none for anybody like us.
pub(crate) enum Asked {
    Begun(Box<Begun>),
    Refused(String),
}

/// A snapshot on its way.
pub(crate) struct Begun {
    pub(crate) connection: Connection,
    /// The server's history.
    pub(crate) id: String,
    /// Where in it the snapshot is.
    pub(crate) offset: u64,
}

impl Begun {
    pub(crate) fn consistency(&self) -> Value {
        json!({
            "mode": "replication",
            "point_in_time": true,
            "replication_id": self.id,
            "replication_offset": self.offset,
        })
    }
}

/// Asks for a snapshot, and returns when the server has begun to make it.
pub(crate) async fn ask(server: &Server) -> Result<Asked> {
    let mut connection = server.connect().await?;
    let version = server.replica_version().as_bytes();
    let mut wishes: Vec<[&[u8]; 3]> = vec![
        // Nothing but the snapshot: the server keeps no writes for us meanwhile. Unknown before 6.2.
        [b"REPLCONF", b"rdb-only", b"1"],
        // Valkey cuts its snapshot down to what an old replica understands, unless told otherwise.
        [b"REPLCONF", b"version", version],
    ];
    if !server.prefers_file(&mut connection).await? {
        wishes.push([b"REPLCONF", b"capa", b"eof"]);
    }
    for wish in &wishes {
        if let Reply::Error(text) = connection.ask(wish).await?
            && is_forbidden(&text)
        {
            return Ok(Asked::Refused(text));
        }
    }
    let psync: [&[u8]; 3] = [b"PSYNC", b"?", b"-1"];
    let mut message = bytes::BytesMut::new();
    crate::wire::command(&mut message, &psync);
    connection.send(&message).await?;
    let line = connection.line_with_something().await?;
    let line = String::from_utf8_lossy(&line).into_owned();
    if let Some(text) = line.strip_prefix('-') {
        return match is_forbidden(text) {
            true => Ok(Asked::Refused(text.to_owned())),
            false => Err(connection.refusal(text, &psync)),
        };
    }
    let mut words = line.split_ascii_whitespace();
    let (head, id, offset) = (words.next(), words.next(), words.next());
    match (head, id, offset.and_then(|it| it.parse().ok())) {
        (Some("+FULLRESYNC"), Some(id), Some(offset)) => Ok(Asked::Begun(Box::new(Begun {
            connection,
            id: id.to_owned(),
            offset,
        }))),
        _ => Err(Error::new(
            Kind::Unfit,
            format!("{} answered PSYNC with {line:?}", connection.address()),
        )),
    }
}
