//! Who a callback is for: takes it only with the right token and signature.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::run::Env;

const TOKEN: &str = "callback-token-7c1d";
const KEY: &[u8] = b"the callback's signing key";

/// A listening endpoint; it listens as long as this process lives.
pub struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
        };
        let got = Arc::clone(&receiver.got);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let got = Arc::clone(&got);
                thread::spawn(move || receive(&client, &got));
            }
        });
        receiver
    }

    /// What a runner needs to report here.
    pub fn env(&self) -> Env {
        let key = BASE64_STANDARD.encode(KEY);
        Env::default()
            .with("CALLBACK_URL", format!("http://{}/hook", self.address))
            .with("CALLBACK_TOKEN", TOKEN)
            .with("CALLBACK_SECRET", format!("whsec_{key}"))
    }

    /// The one event that came, well signed.
    #[track_caller]
    pub fn event(&self) -> Value {
        let got = self.got.lock().unwrap();
        let [(text, event)] = got.as_slice() else {
            panic!("expected one callback, got {got:?}");
        };
        for secret in [TOKEN, &BASE64_STANDARD.encode(KEY)] {
            assert!(!text.contains(secret), "{text}");
        }
        event.clone()
    }

    /// All that came.
    pub fn events(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(_, event)| event.clone()).collect()
    }
}

fn receive(client: &TcpStream, got: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST /hook "), "{line}");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let is_signed = headers["webhook-signature"] == signature(&headers, &body);
    let is_known = headers["authorization"] == format!("Bearer {TOKEN}");
    let status = if is_signed && is_known { 204 } else { 401 };
    if status == 204 {
        let event = serde_json::from_str(&body).unwrap();
        got.lock().unwrap().push((body, event));
    }
    let mut client = client;
    // The runner may have had enough by now.
    let _ =
        client.write_all(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").as_bytes());
}

/// As in the Standard Webhooks specification.
fn signature(headers: &BTreeMap<String, String>, body: &str) -> String {
    let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let mac = mac.chain_update(format!("{id}.{time}.{body}")).finalize();
    format!("v1,{}", BASE64_STANDARD.encode(mac.into_bytes()))
}
