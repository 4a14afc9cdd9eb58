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
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("a readable example");
            (entry.file_name().display().to_string(), text)
        })
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
        .map(|name| match name {
            "REDIS_PORT" => (name, "7000"),
            "REDIS_HOST" => (name, "redis.internal"),
            _ if name.contains("BASE") => (name, "https://example.com"),
            _ => (name, "key-of-an-example"),
        })
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
fn a_file_of_litellms_gives_one_warning_for_each_thing_that_is_not_as_it_says() {
    let text = &examples()[WARNS];
    let checked = check(WARNS, text);
    let said = String::from_utf8(checked.stderr).unwrap();
    for warning in [
        "`callbacks` is known to LiteLLM",
        "`max_parallel_requests` is taken to be 600, because `rpm` is 600",
    ] {
        assert_eq!(said.matches(&format!("warning: {warning}")).count(), 1, "{warning}: {said}");
    }
    assert_eq!(said.matches("warning: ").count(), 2, "{said}");
    let summary = String::from_utf8(checked.stdout).unwrap();
    assert!(
        summary.contains(", counts shared through Redis (redis.internal:7000), no mistakes"),
        "{summary}"
    );
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

/// The scenarios in `examples/sim`.
fn scenarios() -> Vec<String> {
    let folder = fs::read_dir(repository().join("examples/sim")).expect("a folder with scenarios");
    let names = folder.map(|entry| entry.expect("a readable folder").file_name().display().to_string());
    let mut scenarios: Vec<_> = names.filter(|name| name.ends_with(".yaml")).collect();
    scenarios.sort();
    assert!(scenarios.len() >= 5, "{scenarios:?}");
    scenarios.into_iter().map(|name| format!("examples/sim/{name}")).collect()
}

/// How many ways of choosing a scenario names; six are tried where it names none.
fn policies(scenario: &str) -> usize {
    let text = fs::read_to_string(repository().join(scenario)).expect("a readable scenario");
    let named = text.lines().find_map(|line| line.strip_prefix("policies: "));
    named.map_or(6, |named| named.split(',').count())
}

fn sim(arguments: &[&str]) -> Output {
    leastbusy().arg("sim").args(arguments).output().expect("the binary runs")
}

#[test]
fn every_scenario_is_accepted_without_a_word_and_told() {
    for scenario in scenarios() {
        // Troubles of an hour need the whole hour, and only the first word of standard error is about the run.
        let ran = sim(&[&scenario, "--seeds", "2", "--requests", "3000"]);
        let (told, said) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
        assert!(ran.status.success(), "{scenario}: {said}");
        let runs = 2 * policies(&scenario);
        assert!(said.starts_with(&format!("{runs} runs of ")), "{scenario}: {said}");
        for line in ["random ", "least-busy ", "central-queue ", "At p99 a request "] {
            assert!(told.lines().any(|told| told.starts_with(line)), "{scenario}: {line}\n{told}");
        }
        assert!(!told.contains('\u{1b}'), "{scenario}: a file has no colours");
    }
}

#[test]
fn a_simulation_is_told_as_json_and_is_the_same_each_time() {
    let told = || {
        let arguments =
            ["examples/sim/two-ollama-boxes.yaml", "--seeds", "2", "--requests", "2000", "--json", "-"];
        let ran = sim(&arguments);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    };
    let first = told();
    let value: serde_json::Value = serde_json::from_slice(&first).expect("JSON and nothing else");
    assert_eq!(value["policies"][4]["policy"], "least-busy");
    assert!(first == told(), "the same seeds give the same bytes");
}

#[test]
fn a_configuration_is_simulated_at_a_rate() {
    let quickstart =
        ["--config", "examples/quickstart.yaml", "--requests", "2000", "--policies", "random,least-busy"];
    let ran = sim(&[&quickstart[..], &["--rate", "1.5", "--all"]].concat());
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(told.contains("3 deployments") && told.contains("1.50 requests/s"), "{told}");
    assert!(told.contains("\np99_wait "), "{told}");
    let refused = |arguments: &[&str], why: &str| {
        let ran = sim(&[&quickstart[..], arguments].concat());
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success() && said.contains(why), "{said}");
    };
    refused(&[], "add --rate N (requests a second), --load SHARE or --trace FILE");
    refused(&["--rate", "1", "--load", "1"], "cannot be used with");
    refused(&["--rate", "0"], "out of range: 0.001 to 1000000");
    refused(&["--rate", "1", "--policies", "least-bussy"], "did you mean least-busy?");
    refused(&["--rate", "1", "--model", "chatt"], "there is no model group `chatt`: did you mean `chat`?");
    refused(&["--trace", "examples/quickstart.yaml"], "there is no column for the arrival");
}

#[test]
fn an_access_log_is_replayed() {
    let access = ["examples/sim/recorded.yaml", "--trace", "examples/sim/access.jsonl", "--seeds", "2"];
    let ran = sim(&[&access[..], &["--model", "chat"]].concat());
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(told.contains("94 requests of a trace"), "{told}");
}
