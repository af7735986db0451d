//! Shell scripts in the place of client programs.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::stream::BLOCK_BYTES;

fn sh(script: &str) -> Tool {
    Tool::new("sh").arg("-c").arg(script)
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// A child that hangs fails the test instead of hanging it.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap()
}

async fn drain(mut stream: ByteStream) -> (Vec<u8>, Result<()>) {
    let mut bytes = Vec::new();
    while let Some(item) = soon(stream.next()).await {
        match item {
            Ok(block) => bytes.extend_from_slice(&block),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an Err is the last item");
                return (bytes, Err(error));
            }
        }
    }
    (bytes, Ok(()))
}

async fn read(script: &str) -> (Vec<u8>, Result<()>) {
    drain(sh(script).read(&never()).await.unwrap()).await
}

fn blocks(n_blocks: usize, block_bytes: usize) -> ByteStream {
    let block = Bytes::from(vec![b'x'; block_bytes]);
    stream::iter((0..n_blocks).map(move |_| Ok(block.clone()))).boxed()
}

fn then_fail(blocks: ByteStream) -> ByteStream {
    let failure = Error::new(Kind::Integrity, "the backup is cut");
    blocks.chain(stream::iter([Err(failure)])).boxed()
}

#[tokio::test]
async fn a_tool_that_dies_at_its_very_last_byte_does_not_end_its_stream_well() {
    let (bytes, end) = read("head -c 1000000 /dev/zero; echo 'out of luck' >&2; exit 3").await;
    let error = end.unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
    assert_eq!(error.to_string(), "sh exited with 3: out of luck");
    assert!(bytes.len() <= 1_000_000);

    let (bytes, end) = read("head -c 1000000 /dev/zero").await;
    end.unwrap();
    assert_eq!(bytes.len(), 1_000_000);
}

#[tokio::test]
async fn a_signal_is_named_and_silence_too() {
    let error = read("kill -9 $$").await.1.unwrap_err().to_string();
    assert_eq!(
        error,
        "sh was killed by signal 9 (SIGKILL; was memory short?): it said nothing on stderr"
    );
}

#[tokio::test]
async fn ten_megabytes_on_stderr_block_nothing_and_the_last_lines_are_kept() {
    let script = "yes 'a line on stderr, again and again' | head -c 10000000 >&2; echo out; echo >&2; echo last >&2; exit 1";
    let (_, end) = read(script).await;
    let error = end.unwrap_err().to_string();
    assert!(error.ends_with("; last"), "{error}");
    assert!((3_000..5_000).contains(&error.len()), "{}", error.len());

    let (bytes, end) = read("head -c 10000000 /dev/zero >&2; echo out").await;
    end.unwrap();
    assert_eq!(bytes, b"out\n");
}

#[tokio::test]
async fn secrets_do_not_come_back_from_stderr() {
    let secret = Secret::new("hunter2hunter2");
    let tool = |script: &str| sh(script).secret_env("PGPASSWORD", &secret);
    let long = "head -c 8190 /dev/zero | tr '\\0' 'x' >&2; printf %s \"$PGPASSWORD\" >&2; head -c 9000 /dev/zero | tr '\\0' 'y' >&2; ";
    for script in [
        "echo \"login with $PGPASSWORD refused\" >&2; exit 1".to_owned(),
        format!("{long} exit 1"),
    ] {
        assert!(!format!("{:?}", tool(&script)).contains("hunter2"));
        let stream = tool(&script).read(&never()).await.unwrap();
        let error = drain(stream).await.1.unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let shown = tool("echo \"login with $PGPASSWORD refused\" >&2; exit 1")
        .run(&never())
        .await;
    let error = shown.unwrap_err().to_string();
    assert_eq!(error, "sh exited with 1: login with *** refused");
}

#[tokio::test]
async fn what_a_fed_tool_says_on_its_way_is_heard_without_secrets() {
    let secret = Secret::new("hunter2hunter2");
    let tool = sh("cat >/dev/null; echo '3 failed, says hunter2hunter2' >&2").masked(&secret);
    let (finished, said) = tool.write_and_hear(blocks(3, 10), &never()).await.unwrap();
    assert!(finished.read_all_input);
    assert_eq!(said, "3 failed, says ***");
}

#[tokio::test]
async fn the_environment_holds_only_what_was_set() {
    let tool = Tool::new("env").env("PGHOST", "db");
    let output = tool.run(&never()).await.unwrap();
    let names = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='));
    let mut names: Vec<_> = names.map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["LANG", "LC_ALL", "PATH", "PGHOST", "TZ"]);
}

#[tokio::test]
async fn a_missing_program_says_where_it_was_sought_and_what_to_do() {
    let tool = |program: &str| Tool::new(program).way_out("install it or set PG_BIN");
    let error = tool("no-such-dump").run(&never()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
    let error = error.to_string();
    assert!(
        error.starts_with("no-such-dump is not in PATH ("),
        "{error}"
    );
    assert!(error.ends_with("); install it or set PG_BIN"), "{error}");
    let error = tool("/no/such-dump").run(&never()).await.unwrap_err();
    let wanted = "there is no /no/such-dump; install it or set PG_BIN";
    assert_eq!(error.to_string(), wanted);
}

#[tokio::test]
async fn small_output_is_bounded() {
    let output = sh("echo 17.2").run(&never()).await.unwrap();
    assert_eq!(output.stdout, "17.2\n");
    let error = sh("yes").run(&never()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
}

#[tokio::test]
async fn a_slow_reader_holds_the_tool_back_and_gets_every_byte() {
    let mut stream = sh("yes 0123456 | head -c 30000000")
        .read(&never())
        .await
        .unwrap();
    let mut n_bytes = 0;
    while let Some(block) = soon(stream.next()).await {
        let block = block.unwrap();
        assert!(block.len() <= BLOCK_BYTES);
        n_bytes += block.len();
        tokio::task::yield_now().await;
    }
    assert_eq!(n_bytes, 30_000_000);
}

#[tokio::test]
async fn a_tool_is_fed_to_the_good_end_of_its_input() {
    let script = "test $(wc -c) = 5000000 || exit 9";
    let finished = soon(sh(script).write(blocks(50, 100_000), &never())).await;
    let wanted = Finished {
        read_all_input: true,
    };
    assert_eq!(finished.unwrap(), wanted);
    let error = soon(sh(script).write(blocks(49, 100_000), &never())).await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("sh exited with 9")
    );
}

#[tokio::test]
async fn an_input_that_fails_kills_the_tool_before_its_stdin_closes() {
    let dir = tempfile::tempdir().unwrap();
    for n_blocks in [0, 1, 50] {
        for panics in [false, true] {
            let committed = dir.path().join("committed");
            let script = sh("cat >/dev/null; touch \"$COMMITTED\"").env("COMMITTED", &committed);
            let panic = stream::poll_fn(|_| panic!("boom")).boxed();
            let input = match panics {
                true => blocks(n_blocks, 10_000).chain(panic).boxed(),
                false => then_fail(blocks(n_blocks, 10_000)),
            };
            let error = soon(script.clone().write(input, &never()))
                .await
                .unwrap_err();
            let kind = if panics { Kind::Bug } else { Kind::Integrity };
            assert_eq!(error.kind(), kind, "{error}");
            let stream = script
                .pipe(then_fail(blocks(n_blocks, 10_000)), &never())
                .await;
            let error = drain(stream.unwrap()).await.1.unwrap_err();
            assert_eq!(error.to_string(), "the backup is cut");
            assert!(!committed.exists());
        }
    }
}

#[tokio::test]
async fn a_tool_that_stops_reading_is_believed_but_its_input_is_checked_to_the_end() {
    let finished = soon(sh("head -c 10 >/dev/null").write(blocks(100, 100_000), &never())).await;
    assert!(!finished.unwrap().read_all_input);
    let input = then_fail(blocks(100, 100_000));
    let error = soon(sh("head -c 10 >/dev/null").write(input, &never())).await;
    assert_eq!(error.unwrap_err().kind(), Kind::Integrity);
    let refused = soon(sh("echo no >&2; exit 1").write(blocks(100, 100_000), &never())).await;
    assert_eq!(refused.unwrap_err().to_string(), "sh exited with 1: no");
}

#[tokio::test]
async fn a_pipe_streams_both_ways_at_once() {
    let input = blocks(300, 100_000);
    let stream = sh("tr x y").pipe(input, &never()).await.unwrap();
    let (bytes, end) = drain(stream).await;
    end.unwrap();
    assert_eq!(bytes.len(), 30_000_000);
    assert!(bytes.iter().all(|&byte| byte == b'y'));
}

#[tokio::test]
async fn a_cancelled_tool_may_tidy_up_and_dies_even_if_it_ignores_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    for (trap, tidies) in [("touch \"$TIDIED\"; exit 0", true), ("", false)] {
        let tidied = dir.path().join("tidied");
        let script =
            format!("trap '{trap}' TERM; head -c 300000 /dev/zero; while :; do sleep 0.01; done");
        let cancel = never();
        let tool = sh(&script).env("TIDIED", &tidied);
        let mut stream = tool.read(&cancel).await.unwrap();
        soon(stream.next()).await.unwrap().unwrap();
        cancel.cancel();
        let error = drain(stream).await.1.unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        assert_eq!(error.to_string(), "sh was stopped");
        assert_eq!(tidied.exists(), tidies);
        let _ = std::fs::remove_file(&tidied);
    }
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A process that holds the other end of a FIFO says `ready`; the FIFO ends when it has died.
async fn grandchild(fifo: &Path) -> impl Future<Output = ()> {
    let path = fifo.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let mut file = File::open(path).unwrap();
        let mut ready = [0; 6];
        file.read_exact(&mut ready).unwrap();
        file
    });
    let mut file = soon(opened).await.unwrap();
    async move {
        let died = tokio::task::spawn_blocking(move || file.read(&mut [0; 1]).unwrap());
        assert_eq!(soon(died).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_grandchild_does_not_outlive_the_tool() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    fifo(&path);
    let script = "(echo ready; exec sleep 1000) >\"$FIFO\" 2>/dev/null </dev/null & ";
    let tool = |end: &str| sh(&format!("{script}{end}")).env("FIFO", &path);

    let stream = tool("wait").read(&never()).await.unwrap();
    let died = grandchild(&path).await;
    drop(stream);
    died.await;

    let cancel = never();
    let stream = tool("wait").read(&cancel).await.unwrap();
    let died = grandchild(&path).await;
    cancel.cancel();
    assert_eq!(drain(stream).await.1.unwrap_err().kind(), Kind::Interrupted);
    died.await;

    for (end, code) in [("exit 0", 0), ("exit 1", 1)] {
        let stream = tool(&format!("read line; {end}"));
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let line = stream::once(async {
            let _ = released.await;
            Ok(Bytes::from_static(b"go\n"))
        });
        let stream = stream.pipe(line.boxed(), &never()).await.unwrap();
        let died = grandchild(&path).await;
        release.send(()).unwrap();
        assert_eq!(drain(stream).await.1.is_ok(), code == 0);
        died.await;
    }
}

#[tokio::test]
async fn a_memory_file_is_read_by_a_tool_and_by_its_workers() {
    let content = stream::iter([Ok(Bytes::from("first\n")), Ok(Bytes::from("second\n"))]);
    let file = MemoryFile::of_stream("schema.dump", content.boxed(), 100)
        .await
        .unwrap();
    assert_eq!(file.n_bytes(), 13);
    let script = "f=$1; (cat $f) & wait; cat $f; stat -L -c %a $f; echo x >>$f || echo sealed";
    let tool = sh(script).arg("sh").memory_file(&file);
    drop(file);
    let output = tool.run(&never()).await.unwrap();
    assert_eq!(output.stdout, "first\nsecond\nfirst\nsecond\n600\nsealed\n");
}

#[tokio::test]
async fn a_memory_file_has_a_limit_and_passes_errors_on() {
    let error = MemoryFile::of_stream("schema.dump", blocks(3, 10), 29)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
    assert!(
        error
            .to_string()
            .starts_with("schema.dump has more than the 29 bytes")
    );
    let cut = then_fail(blocks(3, 10));
    let error = MemoryFile::of_stream("schema.dump", cut, 1_000)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    let file = MemoryFile::of_bytes("pgpass", b"db:5432:*:u:p\n").unwrap();
    assert_eq!(file.n_bytes(), 14);
}

#[test]
fn a_runtime_that_shuts_down_kills_a_tool_before_its_stdin_closes() {
    let dir = tempfile::tempdir().unwrap();
    let (committed, path) = (dir.path().join("committed"), dir.path().join("fifo"));
    fifo(&path);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let script = "exec 3>\"$FIFO\"; echo ready >&3; cat >/dev/null; touch \"$COMMITTED\"";
    let tool = sh(script).env("FIFO", &path).env("COMMITTED", &committed);
    let mut died = None;
    runtime.block_on(async {
        let endless = stream::pending().boxed();
        let held = Arc::new(Mutex::new(None));
        *held.lock().unwrap() = Some(tool.pipe(endless, &never()).await.unwrap());
        std::mem::forget(held); // so that only the runtime can end it
        died = Some(grandchild(&path).await);
    });
    runtime.shutdown_background();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(died.unwrap());
    assert!(!committed.exists());
}
