use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that gives one scripted answer to each request, and keeps what it got.
struct Receiver {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                kept.lock().unwrap().push(request);
                // An empty answer is a connection that breaks.
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { port, seen }
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let n_read = socket.read_buf(&mut bytes).await.unwrap();
        assert_ne!(n_read, 0, "the request was cut: {text}");
    }
}

fn webhook(port: u16, token: Option<&str>, secret: Option<&str>) -> Webhook {
    let notify = Notify {
        url: Secret::new(format!("http://127.0.0.1:{port}/hook/s3cret?key=s3cret")),
        token: token.map(Secret::new),
        secret: secret.map(Secret::new),
    };
    let clock = || Timestamp::from_second(1_614_265_330).unwrap();
    Webhook::new(&notify, "p5jXN8AQM9LWM0D4loKWxJek", clock).unwrap()
}

fn timing() -> Timing {
    Timing {
        deadline: Duration::from_secs(30),
        attempt: Duration::from_secs(10),
        pause: Duration::from_millis(1),
    }
}

fn told(outcome: Result<Delivered>, port: u16) -> String {
    let text = match outcome {
        Ok(delivered) => format!("{delivered:?}"),
        Err(error) => format!("{}: {error}", error.kind()),
    };
    assert!(!text.contains("s3cret"), "{text}");
    text.replace(&port.to_string(), "PORT")
}

async fn check(answers: &'static [&'static str], expected: &Expect) {
    let receiver = Receiver::start(answers).await;
    let webhook = webhook(receiver.port, Some("s3cret"), None);
    let outcome = webhook.deliver_text("{}", timing()).await;
    let ids = receiver
        .requests()
        .iter()
        .filter(|request| request.contains("webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"))
        .count();
    expected.assert_eq(&format!(
        "{}\n{ids} requests with the same id",
        told(outcome, receiver.port)
    ));
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const SLOW_DOWN: &str =
    "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const MOVED: &str = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://evil.example/s3cret\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "";

#[tokio::test]
async fn what_may_pass_is_retried_and_what_will_not_is_told_at_once() {
    check(
        &[OK],
        &expect![[r#"
        Delivered { n_attempts: 1, status: 204 }
        1 requests with the same id"#]],
    )
    .await;
    check(
        &[BUSY, SLOW_DOWN, BROKEN, OK],
        &expect![[r#"
        Delivered { n_attempts: 4, status: 204 }
        4 requests with the same id"#]],
    )
    .await;
    check(
        &[DENIED],
        &expect![[r#"
        unreachable: deliver the callback to http://127.0.0.1:PORT: the answer was 401 Unauthorized
        1 requests with the same id"#]],
    )
    .await;
    check(&[MOVED], &expect![[r#"
        config: deliver the callback to http://127.0.0.1:PORT: the answer was 307 Temporary Redirect to https://evil.example, which is not followed; set CALLBACK_URL to it
        1 requests with the same id"#]]).await;
}

#[tokio::test]
async fn a_receiver_that_stays_away_is_told_after_the_deadline_without_the_urls_secrets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let timing = Timing {
        deadline: Duration::from_millis(30),
        ..timing()
    };
    let outcome = webhook(port, None, None).deliver_text("{}", timing).await;
    expect!["unreachable: deliver the callback to http://127.0.0.1:PORT: no answer: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)"].assert_eq(&told(outcome, port));
}

#[tokio::test]
async fn the_request_is_signed_as_in_the_specification() {
    let receiver = Receiver::start(&[OK]).await;
    let webhook = webhook(receiver.port, Some("tok"), Some(SECRET));
    let body = r#"{"test": 2432232314}"#;
    webhook.deliver_text(body, timing()).await.unwrap();
    let request = receiver.requests()[0].replace(&receiver.port.to_string(), "PORT");
    expect![[r#"
        POST /hook/s3cret?key=s3cret HTTP/1.1
        content-type: application/json
        webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek
        webhook-timestamp: 1614265330
        authorization: Bearer tok
        webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
        accept: */*
        user-agent: plan-b-backup-runner/0.1.0
        host: 127.0.0.1:PORT
        content-length: 20

        {"test": 2432232314}"#]]
    .assert_eq(&request.replace('\r', ""));
}

#[test]
fn a_secret_is_base64_after_its_prefix_and_text_without() {
    let key = |text: &str| signing_key(&Secret::new(text));
    assert_eq!(key("whsec_AAEC"), Ok(vec![0, 1, 2]));
    assert_eq!(key("plain"), Ok(b"plain".to_vec()));
    assert_eq!(key("whsec_!").unwrap_err(), "expected base64 after whsec_");
}

#[test]
fn pauses_double_up_to_ten_seconds_and_differ_a_little() {
    let webhook = webhook(1, None, None);
    let pauses = [1, 2, 3, 4, 5, 9, 40].map(|n| webhook.pause(Duration::from_secs(1), n));
    let rounded = pauses.map(|it| format!("{:.1}", it.as_secs_f64()));
    expect!["1.0 2.3 3.9 9.9 10.4 7.7 8.0"].assert_eq(&rounded.join(" "));
}
