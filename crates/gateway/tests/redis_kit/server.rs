//! One redis-server process.

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};
use tempfile::TempDir;

/// How long anything may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts that may fail because somebody else took the port meanwhile.
const ATTEMPTS: usize = 5;

/// A redis-server of our own on the loopback, killed when the test forgets it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    program: OsString,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    password: Option<String>,
}

impl Server {
    /// An empty server that wants no password.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// An empty Valkey: what `TEST_VALKEY` names, else `valkey-server` of the PATH; `None` where neither is.
    pub(crate) async fn valkey() -> Option<Self> {
        let named = std::env::var_os("TEST_VALKEY");
        let program = named.clone().unwrap_or_else(|| "valkey-server".into());
        let runs = Command::new(&program).arg("--version").stdout(Stdio::null()).status().is_ok();
        assert!(runs || named.is_none(), "what TEST_VALKEY names does not run: {program:?}");
        if !runs {
            return None;
        }
        Some(Self::of(&program, &[], |_| ()).await)
    }

    /// A server with more arguments, such as `["--maxmemory", "2mb"]`.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::in_folder(arguments, |_| ()).await
    }

    /// As [`Server::with`]; `prepare` may put files into its folder, which is where it runs.
    pub(crate) async fn in_folder(arguments: &[&str], prepare: impl Fn(&Path)) -> Self {
        Self::of(OsStr::new("redis-server"), arguments, prepare).await
    }

    async fn of(program: &OsStr, arguments: &[&str], prepare: impl Fn(&Path)) -> Self {
        let password =
            arguments.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].to_owned());
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().unwrap();
            prepare(folder.path());
            let port = free_port();
            let child = spawn(program, port, folder.path(), &arguments);
            let mut server = Self {
                child,
                program: program.to_owned(),
                port,
                folder,
                arguments: arguments.clone(),
                password: password.clone(),
            };
            if server.answers().await {
                return server;
            }
        }
        panic!("no {program:?} starts with {arguments:?}");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends one command on a connection of its own.
    pub(crate) async fn try_command(&self, words: &[&str]) -> RedisResult<Value> {
        self.try_command_as(self.password.as_deref(), words).await
    }

    /// As [`Server::try_command`], with a password that is not the one it began with.
    pub(crate) async fn try_command_as(&self, password: Option<&str>, words: &[&str]) -> RedisResult<Value> {
        let password = password.map(|password| format!(":{password}@")).unwrap_or_default();
        let client = redis::Client::open(format!("redis://{password}{}/", self.address()))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query_async(&mut connection).await
    }

    /// Sends one command that must not fail.
    pub(crate) async fn command(&self, words: &[&str]) -> Value {
        match self.try_command(words).await {
            Ok(reply) => reply,
            Err(error) => panic!("{words:?} at {}: {error}", self.address()),
        }
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, empty.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.program, self.port, self.folder.path(), &self.arguments);
        assert!(self.answers().await, "it does not start again on port {}", self.port);
    }

    /// Freezes it with SIGSTOP: the kernel still accepts connections and bytes for it.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Makes it a replica, and waits until it has the master's data.
    pub(crate) async fn replicates(&self, master: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]).await;
        self.is_in_step().await;
    }

    /// Waits until a replica has its master's data.
    pub(crate) async fn is_in_step(&self) {
        eventually("a replica in step", async || {
            information(self, "replication", "master_link_status").await.as_deref() == Some("up")
        })
        .await;
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until this process, and not a stranger on the same port, answers; `false` when it has ended.
    async fn answers(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let pid = self.child.id().to_string();
        while information(self, "server", "process_id").await != Some(pid.clone()) {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "it does not answer on port {}", self.port);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &OsStr, port: u16, folder: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new(program);
    // A configuration file must come first.
    let (file, arguments) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (Some(first), rest),
        _ => (None, arguments),
    };
    command.args(file).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--appendonly", "no", "--repl-diskless-sync-delay", "0", "--dir", "."]).args(arguments);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}; see PACKAGES in ./test"))
}

/// A port that nobody listens on, below those that the system gives to clients, which could take it any time.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// One line of `INFO`.
pub(crate) async fn information(server: &Server, section: &str, name: &str) -> Option<String> {
    let Ok(Value::BulkString(text)) = server.try_command(&["INFO", section]).await else { return None };
    let text = String::from_utf8(text).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(|value| value.trim().to_owned())
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
