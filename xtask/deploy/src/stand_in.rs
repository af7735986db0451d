//! Google's place taken: the part of Cloud Run Admin v2 that we use, on a local port.
//!
//! Each request and each answer is checked against the discovery document; a request that fails is refused as Google refuses
//! it, an answer that fails is an internal error, and both are kept for the test to see.

pub(crate) mod discovery;
mod http;
pub(crate) mod reduce;
mod service;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use xtask::shell::{Context, Result};

use discovery::Discovery;

pub use http::Request;
pub use service::{Refusal, State};

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("the stand-in's port")?;
        let address = listener.local_addr().context("the stand-in's port")?;
        let (state, ends) = (Arc::new(Mutex::new(State::default())), Arc::default());
        let thread = std::thread::spawn({
            let (state, ends) = (Arc::clone(&state), Arc::clone(&ends));
            move || accept(&listener, &state, &ends)
        });
        Ok(Self {
            address,
            state,
            ends,
            thread: Some(thread),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it holds and what it will answer.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Mutex<State>, ends: &AtomicBool) {
    for socket in listener.incoming() {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        // A client that closes early is no concern of ours.
        let _ = socket.and_then(|socket| converse(&socket, state));
    }
}

fn converse(socket: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let request = http::read(socket)?;
    let (status, body) = lock(state).answer(Discovery::v2(), request);
    http::answer(socket, status, &body)
}
