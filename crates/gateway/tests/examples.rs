//! The configurations in `examples/` are accepted, and the quick start serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The one example that shows warnings.
const WARNS: &str = "litellm-drop-in.yaml";

fn leastbusy() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leastbusy"));
    // A machine's own keys and settings would change what the examples mean.
    command.env_clear().current_dir(repository());
    command
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("this crate lies in crates/")
}

/// File names and texts.
fn examples() -> BTreeMap<String, String> {
    let folder = fs::read_dir(repository().join("examples")).expect("a folder with examples");
    let examples: BTreeMap<_, _> = folder
        .map(|entry| entry.expect("a readable folder"))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("a readable example");
            (entry.file_name().display().to_string(), text)
        })
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    assert!(examples.len() >= 5, "{:?}", examples.keys());
    examples
}

/// The variables that a configuration names, each with a value that could be right.
fn variables(text: &str) -> BTreeMap<&str, &'static str> {
    let names = text.split("os.environ/").skip(1).map(|rest| {
        let end = rest.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    });
    names
        .map(|name| (name, if name.contains("BASE") { "https://example.com" } else { "key-of-an-example" }))
        .collect()
}

fn check(name: &str, text: &str) -> Output {
    let file = Path::new("examples").join(name);
    let mut command = leastbusy();
    command.args(["check", "--config"]).arg(file).envs(variables(text));
    command.output().expect("the binary runs")
}

#[test]
fn every_example_is_accepted() {
    for (name, text) in examples() {
        let checked = check(&name, &text);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{name}: {said}");
        assert_eq!(said.contains("warning"), name == WARNS, "{name}: {said}");
    }
}

#[test]
fn a_file_of_litellms_gives_one_warning_for_each_key_that_is_not_served_yet() {
    let text = &examples()[WARNS];
    let checked = check(WARNS, text);
    let said = String::from_utf8(checked.stderr).unwrap();
    for key in
        ["rpm", "tpm", "max_parallel_requests", "redis_host", "redis_port", "redis_password", "callbacks"]
    {
        assert_eq!(
            said.matches(&format!("warning: `{key}` is known to LiteLLM")).count(),
            1,
            "{key}: {said}"
        );
    }
    assert_eq!(said.matches("warning: ").count(), 7, "{said}");
}

/// A gateway that is killed at the end of its test.
struct Gateway {
    process: Child,
    address: String,
}

impl Gateway {
    fn serve(config: &str) -> Self {
        let process = leastbusy()
            .args(["serve", "--port", "0", "--config", config])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut gateway = Self { process, address: String::new() };
        let log = BufReader::new(gateway.process.stderr.take().expect("it is piped"));
        let mut seen = String::new();
        for line in log.lines() {
            let line = line.expect("the log is text");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                gateway.address = rest.split(',').next().unwrap_or(rest).to_owned();
                return gateway;
            }
            seen += &line;
        }
        panic!("it did not start: {seen}");
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).expect("it listens");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("30 s are not 0");
        let (address, length) = (&self.address, body.len());
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_quick_start_serves_a_chat_and_says_which_deployment_did() {
    let gateway = Gateway::serve("examples/quickstart.yaml");
    let body = r#"{"model": "chat", "max_tokens": 3, "messages": [{"role": "user", "content": "Hello"}]}"#;
    let answer = gateway.post("/v1/chat/completions", body);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let served = ["ada", "blaise", "grace"].iter().find(|id| {
        let header = format!("x-litellm-model-id: {id}\r\n");
        answer.contains(&header)
    });
    let served = served.unwrap_or_else(|| panic!("none of the three served: {answer}"));
    // The engine that answered says the same.
    assert!(answer.contains(&format!(r#""system_fingerprint":"{served}""#)), "{answer}");
    assert!(answer.contains(r#""object":"chat.completion""#), "{answer}");
}
