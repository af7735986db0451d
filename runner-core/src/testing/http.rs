//! An HTTP/1.1 server of a hundred lines that can break off where a real one would not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A request without its body.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) method: String,
    /// Decoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// A HEAD is told only its length.
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a connection does with one request.
#[derive(Debug)]
pub(super) enum Plan {
    Answer,
    /// Answers this and does nothing.
    Refuse(Reply),
    /// Reads so many bytes of the body and closes.
    CloseAfterReading(usize),
    /// Writes so many bytes of the answer's body and closes.
    CloseAfterWriting(usize),
    /// Does what was asked, and closes in place of an answer.
    CloseUnanswered,
    /// Neither answers nor closes.
    Hang,
}

pub(super) trait Service: Send + Sync + 'static {
    /// Decides by the head alone.
    fn plan(&self, head: &Head) -> Plan;

    fn answer(&self, head: &Head, body: Bytes) -> Reply;
}

/// Serves until the handle is dropped.
pub(super) async fn serve(
    service: Arc<dyn Service>,
) -> std::io::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let service = Arc::clone(&service);
            connections.spawn(async move {
                // A client that closes is no error.
                let _ = converse(socket, service).await;
            });
        }
    });
    Ok((address, AbortOnDropHandle::new(accepting)))
}

async fn converse(mut socket: TcpStream, service: Arc<dyn Service>) -> std::io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        let end = loop {
            match buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if socket.read_buf(&mut buffer).await? == 0 => return Ok(()),
                None => {}
            }
        };
        let head = parse(&String::from_utf8_lossy(&buffer.split_to(end)));
        let plan = service.plan(&head);
        let length = head.headers.get("content-length").map(|text| text.parse());
        let mut length: usize = length.and_then(Result::ok).unwrap_or_default();
        if let Plan::CloseAfterReading(n_bytes) = plan {
            length = length.min(n_bytes);
        }
        while buffer.len() < length {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body = buffer.split_to(length).freeze();
        let (reply, n_bytes) = match plan {
            Plan::CloseAfterReading(_) => return Ok(()),
            Plan::Hang => std::future::pending().await,
            Plan::CloseUnanswered => {
                service.answer(&head, body);
                return Ok(());
            }
            Plan::Refuse(reply) => (reply, usize::MAX),
            Plan::Answer => (service.answer(&head, body), usize::MAX),
            Plan::CloseAfterWriting(n_bytes) => (service.answer(&head, body), n_bytes),
        };
        let mut text = format!("HTTP/1.1 {} Status\r\n", reply.status);
        for (name, value) in &reply.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n", reply.body.len());
        socket.write_all(text.as_bytes()).await?;
        if head.method == "HEAD" {
            continue;
        }
        let n_written = n_bytes.min(reply.body.len());
        socket.write_all(&reply.body[..n_written]).await?;
        if n_written < reply.body.len() {
            return socket.shutdown().await;
        }
    }
}

fn parse(text: &str) -> Head {
    let mut lines = text.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let method = request.next().unwrap_or_default().to_owned();
    let target = request.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let headers = lines.filter_map(|line| line.split_once(':'));
    Head {
        method,
        path: decoded(path),
        query: query
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
