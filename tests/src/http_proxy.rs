//! An HTTP relay in front of MinIO that misbehaves on cue. It passes on verbatim what it passes on, `Host`
//! included, which the signature covers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Nothing is done, and this status and S3 error code are answered.
    Answer(u16, &'static str),
    /// The connection closes after so many bytes of the request's body.
    CutRequest(usize),
    /// The connection closes after so many bytes of the answer.
    CutAnswer(usize),
    /// The connection stays open, without an answer, until all is well again.
    Stall,
}

/// The relay; it listens as long as this process lives.
pub struct HttpProxy {
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
    /// Operation or a part of a path (empty for each), how often still, and what.
    rules: Vec<(&'static str, usize, Trouble)>,
    /// Operation and path of each request so far.
    seen: Vec<(&'static str, String)>,
    n_troubles: usize,
}

impl HttpProxy {
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
                let (upstream, shared) = (upstream.clone(), Arc::clone(&shared));
                // Either side may go away at any time.
                thread::spawn(move || serve(&client, &upstream, &shared));
            }
        });
        proxy
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The next `times` requests of this operation (S3's name for it; empty for any), or with this in their path,
    /// go wrong.
    pub fn trouble(&self, operation: &'static str, times: usize, trouble: Trouble) {
        let mut state = self.shared.state.lock().unwrap();
        state.rules.push((operation, times, trouble));
    }

    /// From now on all is well.
    pub fn calm(&self) {
        self.shared.state.lock().unwrap().rules.clear();
        self.shared.changed.notify_all();
    }

    /// The operations asked for so far.
    pub fn operations(&self) -> Vec<&'static str> {
        let state = self.shared.state.lock().unwrap();
        state.seen.iter().map(|(operation, _)| *operation).collect()
    }

    /// How many requests went wrong so far.
    pub fn n_troubles(&self) -> usize {
        self.shared.state.lock().unwrap().n_troubles
    }

    /// Returns once so many requests went wrong.
    pub fn wait_for_troubles(&self, n: usize) {
        let state = self.shared.state.lock().unwrap();
        let wait = |state: &mut State| state.n_troubles < n;
        let (_state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, wait)
            .unwrap();
        assert!(!timeout.timed_out(), "nothing went wrong");
    }
}

impl Shared {
    fn meet(&self, operation: &'static str, path: String) -> Option<Trouble> {
        let mut state = self.state.lock().unwrap();
        state.seen.push((operation, path.clone()));
        let fits = |(expected, times, _): &&mut (&str, usize, Trouble)| {
            *times > 0 && (*expected == operation || path.contains(*expected))
        };
        let rule = state.rules.iter_mut().find(fits)?;
        rule.1 = rule.1.saturating_sub(1);
        let trouble = rule.2.clone();
        state.n_troubles += 1;
        self.changed.notify_all();
        Some(trouble)
    }

    fn wait_for_calm(&self) {
        let mut state = self.state.lock().unwrap();
        while !state.rules.is_empty() {
            state = self.changed.wait(state).unwrap();
        }
    }
}

struct Request {
    /// As it came, with its empty line.
    head: Vec<u8>,
    method: String,
    target: String,
    n_body: usize,
    /// Whether the body comes only when it is asked for.
    waits: bool,
}

fn serve(client: &TcpStream, upstream: &str, shared: &Shared) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    let budget = Arc::new(AtomicI64::new(i64::MAX));
    answers(
        server.try_clone()?,
        client.try_clone()?,
        Arc::clone(&budget),
    );
    let mut reader = BufReader::new(client);
    let mut out = client;
    while let Some(request) = read_head(&mut reader)? {
        let operation = operation(&request);
        let trouble = shared.meet(operation, request.target.clone());
        let mut body = (&mut reader).take(request.n_body as u64);
        match trouble {
            Some(Trouble::Answer(status, code)) => {
                if request.waits {
                    out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                std::io::copy(&mut body, &mut std::io::sink())?;
                out.write_all(answer(status, code).as_bytes())?;
                continue;
            }
            Some(Trouble::CutRequest(n_bytes)) => {
                server.write_all(&request.head)?;
                std::io::copy(&mut body.take(n_bytes as u64), &mut server)?;
                break;
            }
            Some(Trouble::Stall) => {
                shared.wait_for_calm();
                break;
            }
            Some(Trouble::CutAnswer(n_bytes)) => {
                budget.store(n_bytes as i64, Ordering::SeqCst);
            }
            None => {}
        }
        server.write_all(&request.head)?;
        std::io::copy(&mut body, &mut server)?;
    }
    server.shutdown(Shutdown::Both)?;
    client.shutdown(Shutdown::Both)
}

/// Passes answers on, as they come, as long as the budget of bytes lasts.
fn answers(mut server: TcpStream, mut client: TcpStream, budget: Arc<AtomicI64>) {
    thread::spawn(move || {
        let mut block = [0; 16 << 10];
        while let Ok(n @ 1..) = server.read(&mut block) {
            let left = budget.fetch_sub(n as i64, Ordering::SeqCst);
            let n_pass = (left.max(0) as usize).min(n);
            if client.write_all(&block[..n_pass]).is_err() || n_pass < n {
                break;
            }
        }
        // Whoever of the two is still there learns that it is over.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    loop {
        let start = head.len();
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
        if matches!(&head[start..], b"\r\n") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse().unwrap())
    });
    let n_body = length.unwrap_or(0);
    Ok(Some(Request {
        head,
        method,
        target,
        n_body,
        waits: text.to_lowercase().contains("100-continue"),
    }))
}

fn operation(request: &Request) -> &'static str {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let has = |name: &str| {
        query
            .split('&')
            .any(|it| it.split('=').next() == Some(name))
    };
    let is_bucket = !path.trim_matches('/').contains('/');
    match (request.method.as_str(), is_bucket) {
        ("HEAD", true) => "HeadBucket",
        ("PUT", true) => "CreateBucket",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) => "ListObjectsV2",
        ("PUT", false) if has("uploadId") => "UploadPart",
        ("PUT", false) => "PutObject",
        ("POST", false) if has("uploads") => "CreateMultipartUpload",
        ("POST", false) => "CompleteMultipartUpload",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        ("HEAD", false) => "HeadObject",
        ("GET", false) => "GetObject",
        _ => "Unknown",
    }
}

fn answer(status: u16, code: &str) -> String {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>scripted</Message></Error>"
    );
    format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
