//! A server that answers by a script, over a real socket: for versions that cannot be run here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runner_core::engine::{Tls, TlsMode};
use runner_core::secret::Secret;

use super::Endpoint;

/// What a statement is answered.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Done,
    /// Names of columns, and one row.
    Row(&'static [(&'static str, &'static str)]),
    /// A code and its message.
    Refused(u16, &'static str),
}

/// Statements by how they begin, each with its answer; all others are done.
pub(crate) type Script = &'static [(&'static str, Said)];

/// A listening server.
pub(crate) struct Scripted {
    pub(crate) endpoint: Endpoint,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// One that introduces itself as this version, and whose accounts use `caching_sha2_password`.
    pub(crate) fn start(version: &'static str, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                // A client may leave at any time.
                std::thread::spawn(move || serve(client, version, script, &log));
            }
        });
        let tls = Tls {
            mode: TlsMode::Disable,
            ..Tls::default()
        };
        Self {
            asked,
            endpoint: Endpoint {
                host: "127.0.0.1".to_owned(),
                port,
                user: "backup".to_owned(),
                password: Some(Secret::new("right horse")),
                tls,
                without_tls: Arc::default(),
                program_name: "planb".to_owned(),
                attempt_timeout: Duration::from_secs(20),
            },
        }
    }

    /// Every statement so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    version: &str,
    script: Script,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut greeting = vec![10];
    greeting.extend_from_slice(version.as_bytes());
    greeting.extend_from_slice(b"\0\x2a\0\0\0abcdefgh\0");
    // Everything but TLS.
    greeting.extend_from_slice(&[0xff, 0xf7, 255, 2, 0, 0xff, 0xdf, 21]);
    greeting.extend_from_slice(&[0; 10]);
    greeting.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    send(&mut client, 0, &greeting)?;
    let login = receive(&mut client)?;
    assert!(login.windows(7).any(|it| it == b"backup\0"));
    // The server has seen the password before.
    send(&mut client, 2, &[1, 3])?;
    send(&mut client, 3, &[0, 0, 0, 2, 0, 0, 0])?;
    loop {
        let message = receive(&mut client)?;
        let [3, statement @ ..] = message.as_slice() else {
            return Ok(());
        };
        let statement = String::from_utf8_lossy(statement).into_owned();
        let said = script
            .iter()
            .find(|(begin, _)| statement.starts_with(begin));
        log.lock().unwrap().push(statement);
        match said.map_or(&Said::Done, |(_, said)| said) {
            Said::Done => send(&mut client, 1, &[0, 0, 0, 2, 0, 0, 0])?,
            Said::Refused(code, text) => {
                let head = [&[0xff][..], &code.to_le_bytes(), b"#42000"].concat();
                send(&mut client, 1, &[&head, text.as_bytes()].concat())?;
            }
            Said::Row(row) => send_row(&mut client, row)?,
        }
    }
}

fn send_row(client: &mut TcpStream, row: &[(&str, &str)]) -> std::io::Result<()> {
    const END: [u8; 5] = [0xfe, 0, 0, 2, 0];
    send(client, 1, &[row.len() as u8])?;
    let mut sequence = 2;
    for (name, _) in row {
        let mut column = string("def");
        for part in ["", "", "", name, ""] {
            column.extend(string(part));
        }
        column.extend_from_slice(&[12, 255, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0]);
        send(client, sequence, &column)?;
        sequence += 1;
    }
    send(client, sequence, &END)?;
    let values: Vec<u8> = row.iter().flat_map(|(_, value)| string(value)).collect();
    send(client, sequence + 1, &values)?;
    send(client, sequence + 2, &END)
}

/// With its length before it.
fn string(text: &str) -> Vec<u8> {
    assert!(text.len() < 251);
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn send(client: &mut TcpStream, sequence: u8, payload: &[u8]) -> std::io::Result<()> {
    let head = (payload.len() as u32) | u32::from(sequence) << 24;
    client.write_all(&[&head.to_le_bytes()[..], payload].concat())
}

fn receive(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    let mut payload = vec![0; super::packet::head(&head).0];
    client.read_exact(&mut payload)?;
    Ok(payload)
}
