//! One gateway in a process of its own, and what its pages tell.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::client::{Answer, Client};
use super::pipe::collect;
use super::until;
use super::wire::PATIENCE;

/// What an instance says when it goes by its own counts, and when it need not any more.
pub(crate) const LOST: &str = "no Redis, so each instance goes by its own counts";
pub(crate) const BACK: &str = "Redis is back";

/// A `leastbusy serve` of our own, killed when the test forgets it.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    pub(crate) address: SocketAddr,
    output: Output,
    _config: NamedTempFile,
}

/// What a process has written so far.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    log: Arc<Mutex<String>>,
    access: Arc<Mutex<String>>,
}

impl Output {
    fn of(child: &mut Child) -> Self {
        Self { log: collect(child.stderr.take().unwrap()), access: collect(child.stdout.take().unwrap()) }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How many lines of the log have these words.
    pub(crate) fn lines_with(&self, words: &str) -> usize {
        self.log.lock().unwrap().lines().filter(|line| line.contains(words)).count()
    }

    /// Makes sure that a secret is nowhere in it.
    pub(crate) fn keeps(&self, secret: &str) {
        assert!(!self.log().contains(secret), "a secret in the log");
        assert!(!self.access.lock().unwrap().contains(secret), "a secret in the access log");
    }
}

/// A process that serves this configuration on a free port, with nothing of ours in its environment.
fn serve(yaml: &str, variables: &[(&str, String)]) -> (NamedTempFile, Child) {
    let config = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(config.path(), yaml).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leastbusy"));
    command.arg("serve").arg("--config").arg(config.path()).args(["--port", "0"]);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    (config, child)
}

/// Starts what cannot start; returns its exit code and what it wrote.
pub(crate) async fn fails(yaml: &str) -> (Option<i32>, Output) {
    let (_config, mut child) = serve(yaml, &[]);
    let output = Output::of(&mut child);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if PATIENCE < began.elapsed() {
            child.kill().unwrap();
            panic!("it runs: {}", output.log());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    until("its last words", async || output.log().ends_with('\n')).await;
    (status.code(), output)
}

impl Instance {
    /// Starts it; [`Instance::listens`] waits until it does.
    pub(crate) fn begins(yaml: &str, variables: &[(&str, String)]) -> Self {
        let (config, mut child) = serve(yaml, variables);
        let output = Output::of(&mut child);
        Self { child, address: ([127, 0, 0, 1], 0).into(), output, _config: config }
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::begins(yaml, &[]).listens().await
    }

    pub(crate) async fn listens(mut self) -> Self {
        until("an address", async || {
            let log = self.output.log();
            let found = log.split_once("listening on http://").map(|(_, rest)| rest.split([',', ' ', '"']));
            let address = found.and_then(|mut words| words.next()?.parse().ok());
            self.address = address.unwrap_or(self.address);
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {log}");
            }
            address.is_some()
        })
        .await;
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect_to(self.address).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n")).await;
        client.answer().await
    }

    /// Asks `model` for an answer.
    pub(crate) async fn asks(&self, model: &str) -> Answer {
        let mut client = self.connect().await;
        client.asks(model).await;
        client.answer().await
    }

    /// Opens a stream, which stays open as long as the client is kept.
    pub(crate) async fn opens(&self, model: &str) -> Client {
        let mut client = self.connect().await;
        client.asks_for_stream(model).await;
        assert_eq!(client.head().await.first_line, "HTTP/1.1 200 OK");
        client
    }

    /// Opens so many.
    pub(crate) async fn opens_many(&self, model: &str, count: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.opens(model).await);
        }
        clients
    }

    /// What `GET /router/deployments` says of a deployment.
    pub(crate) async fn deployment(&self, id: &str) -> Value {
        let page = self.get("/router/deployments").await.json();
        let found = page["data"].as_array().unwrap().iter().find(|entry| entry["id"] == id);
        found.unwrap_or_else(|| panic!("{id} in {page}")).clone()
    }

    pub(crate) async fn total(&self, id: &str) -> u64 {
        self.deployment(id).await["in_flight_total"].as_u64().unwrap()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.deployment(id).await["state"].as_str().unwrap().to_owned()
    }

    /// `in_flight_total` of every deployment.
    pub(crate) async fn totals(&self) -> BTreeMap<String, u64> {
        let page = self.get("/router/deployments").await.json();
        let count = |entry: &Value| {
            (entry["id"].as_str().unwrap().to_owned(), entry["in_flight_total"].as_u64().unwrap())
        };
        page["data"].as_array().unwrap().iter().map(count).collect()
    }

    /// `in_flight` of every deployment: what it has in flight itself.
    pub(crate) async fn own(&self) -> Vec<usize> {
        let page = self.get("/router/deployments").await.json();
        let entries = page["data"].as_array().unwrap().iter();
        entries.map(|entry| entry["in_flight"].as_u64().unwrap() as usize).collect()
    }

    pub(crate) async fn instances(&self) -> Value {
        self.get("/router/instances").await.json()
    }

    /// How many others it knows to be alive.
    pub(crate) async fn others(&self) -> usize {
        self.instances().await["data"].as_array().unwrap().len() - 1
    }

    pub(crate) async fn is_connected(&self) -> bool {
        self.instances().await["shared_state"]["connected"] == true
    }

    /// A number of `GET /metrics`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await;
        let line = page.text().lines().find(|line| line.split(' ').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {}", page.text()));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim().to_owned()).collect()
    }

    /// Sends a signal such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        until("the end of the process", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
