//! The real binary: what it prints, what it refuses, how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::{CHAT, Client, chat_stream};
use super::gateway::eventually;
use super::pipe::collect;
use super::script::Upstream;
use super::wire::PATIENCE;

/// A gateway in a process of its own, killed when the test forgets it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<String>>,
    pub(crate) access: Arc<Mutex<String>>,
}

fn leastbusy(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leastbusy"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEASTBUSY_") || name == "CONFIG_FILE_PATH" {
            command.env_remove(name);
        }
    }
    command.arg("serve").arg("--config").arg(config).args(["--port", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Process {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(config: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = leastbusy(config);
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let log = collect(child.stderr.take().unwrap());
        let access = collect(child.stdout.take().unwrap());
        let deadline = Instant::now() + PATIENCE;
        let address = loop {
            let found = log.lock().unwrap().split_once("listening on http://").map(|(_, rest)| {
                rest.chars().take_while(|&c| !matches!(c, ',' | ' ' | '"')).collect::<String>()
            });
            if let Some(Ok(address)) = found.map(|address| address.parse()) {
                break address;
            }
            assert!(Instant::now() < deadline, "it does not listen: {}", log.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        Self { child, address, log, access }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect_to(self.address).await
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    async fn exit(&mut self) -> ExitStatus {
        exit(&mut self.child).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn exit(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the process does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn config_file(yaml: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    file
}

fn one_deployment(base: &str) -> tempfile::NamedTempFile {
    config_file(&format!(
        "model_list:\n\
         - model_name: m\n  litellm_params:\n    model: openai/m\n    api_base: {base}\n    api_key: sk-upstream-secret\n"
    ))
}

#[tokio::test]
async fn sigterm_lets_an_open_stream_end_and_exits_with_0() {
    let mut upstream = Upstream::start().await;
    let config = one_deployment(&upstream.base());
    let mut process = Process::start(config.path(), |command| {
        command.args(["--log-format", "json"]);
    })
    .await;
    let mut client = process.connect().await;
    client.post(CHAT, &chat_stream("m")).await;
    let mut request = upstream.next_request().await;
    assert_eq!(request.header("authorization"), Some("Bearer sk-upstream-secret"));
    request.begins_stream().await;
    request.event("a").await;
    client.head().await;
    assert_eq!(client.text().await, "data: a\n\n");
    process.signal("-TERM");
    let mut idle = process.connect().await;
    idle.wait_until_closed(PATIENCE).await;
    request.event("b").await;
    assert_eq!(client.text().await, "data: b\n\n");
    request.ends_stream().await;
    assert_eq!(client.rest().await, (b"data: [DONE]\n\n".to_vec(), true));
    assert_eq!(process.exit().await.code(), Some(0));
    eventually("an access line", || process.access.lock().unwrap().contains('\n')).await;
    let line = process.access.lock().unwrap().lines().next().unwrap().to_owned();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["path"], &line["status"], &line["complete"]),
        (&CHAT.into(), &200.into(), &true.into())
    );
    for text in [&process.access, &process.log] {
        assert!(!text.lock().unwrap().contains("sk-upstream-secret"));
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut upstream = Upstream::start().await;
    let config = one_deployment(&upstream.base());
    let mut process = Process::start(config.path(), |_| ()).await;
    let mut client = process.connect().await;
    client.post(CHAT, &chat_stream("m")).await;
    let mut request = upstream.next_request().await;
    process.signal("-INT");
    eventually("a word about stopping", || process.log.lock().unwrap().contains("stopping")).await;
    process.signal("-INT");
    process.exit().await;
    request.wait_until_gone(PATIENCE).await;
}

#[tokio::test]
async fn without_a_key_it_does_not_listen_for_everyone() {
    let config = one_deployment("http://127.0.0.1:9/v1");
    let mut child = leastbusy(config.path()).args(["--host", "0.0.0.0"]).spawn().unwrap();
    let log = collect(child.stderr.take().unwrap());
    assert_eq!(exit(&mut child).await.code(), Some(1));
    eventually("a way out", || log.lock().unwrap().contains("master_key")).await;
}
