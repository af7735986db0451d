//! A TCP relay in front of a server: it counts connections, and cuts or stalls them on cue.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// What happens to connections that have brought so many bytes from the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hitch {
    #[default]
    None,
    /// They are closed, on both sides.
    CutAfter(u64),
    /// They stand still until all is well again.
    StallAfter(u64),
}

/// The relay; it listens as long as this process lives.
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    hitch: Hitch,
    n_connections: usize,
    n_hitches: usize,
}

impl TcpProxy {
    /// Stands in front of `host:port`.
    pub fn start(upstream: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (upstream, shared) = (upstream.into(), Arc::<Shared>::default());
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.state.lock().unwrap().n_connections += 1;
                let server = TcpStream::connect(&upstream).unwrap();
                relay(client, server, &shared);
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn set(&self, hitch: Hitch) {
        self.shared.state.lock().unwrap().hitch = hitch;
        self.shared.changed.notify_all();
    }

    /// How many connections were made so far.
    pub fn n_connections(&self) -> usize {
        self.shared.state.lock().unwrap().n_connections
    }

    /// Returns once so many connections were cut or stand still.
    pub fn wait_for_hitches(&self, n: usize) {
        let state = self.shared.state.lock().unwrap();
        let wait = |state: &mut State| state.n_hitches < n;
        let (_state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, wait)
            .unwrap();
        assert!(!timeout.timed_out(), "nothing was cut or stalled");
    }
}

fn relay(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        // Either side may be cut at any time: that is what this is for.
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let _ = answers(server, &client, &shared);
        let _ = client.shutdown(Shutdown::Both);
    });
}

fn answers(mut server: TcpStream, mut client: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut block = [0; 16 << 10];
    let mut n_bytes = 0;
    loop {
        let n = server.read(&mut block)?;
        if n == 0 {
            return Ok(());
        }
        n_bytes += n as u64;
        if !may_pass(n_bytes, shared) {
            return server.shutdown(Shutdown::Both);
        }
        client.write_all(&block[..n])?;
    }
}

/// Waits where it must; `false` when the connection is to be cut.
fn may_pass(n_bytes: u64, shared: &Shared) -> bool {
    let mut state = shared.state.lock().unwrap();
    let mut is_new = true;
    loop {
        match state.hitch {
            Hitch::CutAfter(limit) if n_bytes >= limit => {
                state.n_hitches += 1;
                shared.changed.notify_all();
                return false;
            }
            Hitch::StallAfter(limit) if n_bytes >= limit => {
                if std::mem::take(&mut is_new) {
                    state.n_hitches += 1;
                    shared.changed.notify_all();
                }
                state = shared.changed.wait(state).unwrap();
            }
            _ => return true,
        }
    }
}
