//! The file with the keys of clients: read at the start, and again whenever it changes; and the commands that write for it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leastbusy_gateway::config::{KeyHash, KeysFile};
use leastbusy_gateway::serve::{self, Options, StartError};
use serde_json::json;

use super::client::{CHAT, chat, request};
use super::gateway::{Gateway, config, deployment, eventually, on_one_worker};
use super::keys::{A, B, MASTER, get_with, headers, key, post_with, upstream};
use super::process::{Process, config_file};
use super::wire::PATIENCE;

/// A keys file in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(entries: &[String]) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        file.says(&entries.concat());
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys.yaml")
    }

    /// Puts a new file in the place of the old one.
    fn says(&self, entries: &str) {
        let new = self.folder.path().join("keys.yaml.new");
        std::fs::write(&new, format!("keys:\n{entries}")).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }
}

fn written(name: &str, key: &str, more: &str) -> String {
    format!("- {{key_alias: {name}, key_hash: {}{more}}}\n", KeyHash::of(key.as_bytes()).to_text())
}

#[tokio::test]
async fn a_keys_file_that_changes_under_traffic_costs_no_request_and_no_count() {
    let upstream = upstream().await;
    let limited = written("team-a", A, ", rpm_limit: 2");
    let file = File::new(std::slice::from_ref(&limited));
    let mut config = config([deployment("a", &upstream.base())]);
    config.general.keys_file = Some(KeysFile::new(file.path()));
    config.keys = vec![key("fixed", "sk-of-fixed")];
    let gateway = Arc::new(Gateway::start(&config));
    assert_eq!(post_with(&gateway, A, &chat("m")).await.status, 200);
    assert_eq!(post_with(&gateway, B, &chat("m")).await.status, 401);
    let stop = Arc::new(AtomicBool::new(false));
    let traffic: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, stop) = (Arc::clone(&gateway), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut served = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(post_with(&gateway, "sk-of-fixed", &chat("m")).await.status, 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    file.says(&format!("{limited}{}", written("team-b", B, "")));
    let comes_to = async |key: &str, status: u16| {
        let deadline = Instant::now() + PATIENCE;
        while post_with(&gateway, key, &chat("m")).await.status != status {
            assert!(Instant::now() < deadline, "{key} never got {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    comes_to(B, 200).await;
    let second = post_with(&gateway, A, &chat("m")).await;
    assert_eq!((second.status, second.header("x-ratelimit-remaining-requests")), (200, Some("0")));
    assert_eq!(post_with(&gateway, A, &chat("m")).await.status, 429);
    // A file with a mistake, and none at all, change nothing.
    file.says("- {key_alias: team-b}\n");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(post_with(&gateway, B, &chat("m")).await.status, 200);
    std::fs::remove_file(file.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(post_with(&gateway, B, &chat("m")).await.status, 200);
    file.says(&limited);
    comes_to(B, 401).await;
    stop.store(true, Ordering::Relaxed);
    for clients in traffic {
        assert!(0 < clients.await.unwrap());
    }
    gateway.ends().await;
}

#[tokio::test]
async fn a_door_with_keys_may_be_reached_and_a_wrong_keys_file_keeps_it_shut() {
    let file = File::new(&[written("team-a", A, "")]);
    let mut config = on_one_worker([deployment("a", "http://127.0.0.1:9/v1")]);
    config.general.keys_file = Some(KeysFile::new(file.path()));
    let gateway = Gateway::start_on([0, 0, 0, 0], &config);
    assert_eq!(get_with(&gateway, A, "/v1/models").await.status, 200);
    assert_eq!(get_with(&gateway, B, "/v1/models").await.status, 401);
    file.says("- {key_alias: team-a, key_hash: sk-of-team-a}\n");
    let error = serve::start(&config, Options { port: 0, ..Options::default() }).unwrap_err();
    assert!(matches!(error, StartError::Keys(_)));
    let said = error.to_string();
    assert!(said.contains("keys.yaml:2:") && said.contains("leastbusy key hash"), "{said}");
    assert!(!said.contains("sk-of"), "{said}");
}

/// Runs `leastbusy key` and gives back what it prints, and what it says beside it.
fn leastbusy_key(arguments: &[&str], input: &str) -> (String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_leastbusy"))
        .arg("key")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_new_key_opens_the_door_and_stands_in_no_file_log_line_or_metric() {
    let upstream = upstream().await;
    let (entry, new) = leastbusy_key(&["new", "--name", "team: \"a\"", "--models", "m,eu/*"], "");
    let new = new.trim();
    assert!(new.starts_with("sk-") && new.len() == 51 && !entry.contains(new), "{entry}");
    let (hash, _) = leastbusy_key(&["hash"], &format!("{new}\n"));
    assert!(entry.contains(&format!("key_hash: {hash}")), "{entry}");
    assert!(leastbusy_key(&["hash"], "\n").1.contains("no key on standard input"));

    let file = File::new(std::slice::from_ref(&entry));
    let base = upstream.base();
    let config = config_file(&format!(
        "model_list:\n- model_name: m\n  litellm_params: {{model: openai/m, api_base: \"{base}\"}}\n\
         general_settings: {{master_key: {MASTER}, keys_file: {}}}\n",
        file.path().display()
    ));
    let process = Process::start(config.path(), |command| {
        command.args(["--log-format", "json"]);
    })
    .await;
    let ask = async |shown: &str, path: &str| {
        let mut client = process.connect().await;
        client.send(request(path, &headers(shown), chat("m").as_bytes())).await;
        client.answer().await
    };
    assert_eq!(ask(new, CHAT).await.status, 200);
    assert_eq!(ask("sk-of-nobody", CHAT).await.status, 401);
    let lines = || process.access.lock().unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    eventually("two access lines", || lines().len() == 2).await;
    let keys: Vec<_> = lines()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["key"].clone())
        .collect();
    assert_eq!(keys, [json!("team: \"a\""), json!(null)]);
    let mut client = process.connect().await;
    client.send("GET /metrics HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
    let metrics = client.answer().await.text().to_owned();
    let counted = r#"leastbusy_key_requests_total{key="team: \"a\"",status="2xx"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");

    // A hangup has the file read at once; one that is wrong is told with its place.
    let wrong = file.folder.path().join("wrong");
    std::fs::write(&wrong, format!("keys:\n- {{key_alias: a, key_hash: {new}}}\n")).unwrap();
    std::fs::rename(wrong, file.path()).unwrap();
    process.signal("-HUP");
    let log = || process.log.lock().unwrap().clone();
    eventually("a word about the file", || log().contains("is not used: the keys stay as they were")).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(log().matches("is not used").count(), 1, "{}", log());
    assert!(log().contains("keys.yaml:2:") && log().contains("64 hexadecimal digits"), "{}", log());
    assert_eq!(ask(new, CHAT).await.status, 200);
    file.says(&entry);
    eventually("the file's return", || log().contains("was read again; keys of clients: 1, 0 new, 0 gone"))
        .await;
    let hash = hash.trim().trim_start_matches("sha256:");
    for text in [log(), lines().concat(), metrics] {
        assert!(!text.contains(new) && !text.contains(hash) && !text.contains("sk-of"), "{text}");
    }
}
