//! Keys of clients: what each opens, how much of it, and a keys file that changes under way.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use leastbusy_gateway::config::{Alias, ClientKey, Config, KeyHash, KeysFile, Secret};
use leastbusy_gateway::serve::{self, Options, StartError};
use serde_json::json;

use super::client::{Answer, CHAT, Client, chat, chat_stream, request};
use super::gateway::{Gateway, config, deployment, entry, eventually, on_one_worker};
use super::process::{Process, config_file};
use super::script::{Played, Upstream, answers};
use super::wire::PATIENCE;

const A: &str = "sk-of-team-a";
const B: &str = "sk-of-team-b";
const MASTER: &str = "sk-of-the-operator";

fn key(name: &str, key: &str) -> ClientKey {
    ClientKey::new(name, KeyHash::of(key.as_bytes()))
}

fn headers(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

/// A configuration of the groups `m`, `large` and `eu/*` behind one upstream.
fn scene(base: &str) -> Config {
    let mut config = on_one_worker([
        deployment("a", base),
        entry("large", "openai/large", "b", base),
        entry("eu/*", "openai/*", "c", base),
    ]);
    config.aliases.insert("nick".to_owned(), Alias { model: "m".to_owned(), hidden: false });
    config.general.master_key = Some(Secret::new(MASTER));
    config
}

async fn post_with(gateway: &Gateway, key: &str, body: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.send(request(CHAT, &headers(key), body.as_bytes())).await;
    client.answer().await
}

async fn get_with(gateway: &Gateway, key: &str, path: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n{}\r\n", headers(key))).await;
    client.answer().await
}

async fn upstream() -> Played {
    Upstream::playing(answers(200).json(r#"{"usage":{"prompt_tokens":30,"completion_tokens":20}}"#)).await
}

/// The status, `type` and message of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let error = answer.error();
    let text = |field: &str| error[field].as_str().unwrap().to_owned();
    assert!(!answer.text().contains("sk-of"), "{}", answer.text());
    (answer.status, text("type"), text("message"))
}

#[tokio::test]
async fn a_key_may_use_its_models_and_no_others() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    let models = vec!["m".to_owned(), "eu/s*".to_owned()];
    config.keys = vec![ClientKey { models, ..key("team-a", A) }, key("team-b", B)];
    let gateway = Gateway::start(&config);
    for (model, status) in [
        ("m", 200),
        ("nick", 200),
        ("a", 200),
        ("eu/small", 200),
        ("large", 403),
        ("b", 403),
        ("eu/large", 403),
    ] {
        assert_eq!(post_with(&gateway, A, &chat(model)).await.status, status, "{model}");
        assert_eq!(post_with(&gateway, B, &chat(model)).await.status, 200, "{model}");
    }
    let (status, kind, message) = refusal(&post_with(&gateway, A, &chat("nothing")).await);
    assert_eq!((status, kind.as_str()), (403, "key_model_access_denied"));
    assert!(message.contains("`team-a`") && message.contains("`m`, `eu/s*`"), "{message}");
    // A model that stands in the path is held against the key, too.
    let azure = request("/openai/deployments/large/chat/completions", &headers(A), b"{}");
    let mut client = Client::connect(&gateway).await;
    client.send(azure).await;
    assert_eq!(client.answer().await.status, 403);
    // The way round, through fallbacks that the request names itself.
    for field in ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"] {
        for list in [r#"["large"]"#, r#"[{"m":["large"]}]"#, r#"[{"model":"large"}]"#] {
            let body = format!(r#"{{"model":"m","messages":[],"{field}":{list}}}"#);
            assert_eq!(post_with(&gateway, A, &body).await.status, 403, "{body}");
            assert_eq!(post_with(&gateway, B, &body).await.status, 200, "{body}");
        }
    }
}

#[tokio::test]
async fn a_key_sees_its_models_and_the_operators_pages_want_more() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    let models = vec!["m".to_owned()];
    config.keys =
        vec![ClientKey { models, ..key("team-a", A) }, ClientKey { admin: true, ..key("team-b", B) }];
    let gateway = Gateway::start_on([0, 0, 0, 0], &config);
    let names = |answer: Answer| -> Vec<String> {
        let page = answer.json();
        page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(get_with(&gateway, A, "/v1/models").await), ["m", "nick"]);
    assert_eq!(names(get_with(&gateway, B, "/v1/models").await), ["m", "large", "eu/*", "nick"]);
    assert_eq!(names(get_with(&gateway, MASTER, "/v1/models").await).len(), 4);
    assert_eq!(get_with(&gateway, A, "/v1/models/nick").await.status, 200);
    let hidden = get_with(&gateway, A, "/v1/models/larg").await;
    assert_eq!(hidden.status, 404);
    assert!(!hidden.text().contains("`large`"), "{}", hidden.text());
    for path in ["/router/deployments", "/router/instances", "/health", "/metrics"] {
        let (status, kind, message) = refusal(&get_with(&gateway, A, path).await);
        assert_eq!((status, kind.as_str()), (403, "permission_error"), "{path}");
        assert!(message.contains("`admin: true`"), "{message}");
        for key in [B, MASTER] {
            assert_eq!(get_with(&gateway, key, path).await.status, 200, "{path}");
        }
        assert_eq!(get_with(&gateway, "sk-of-nobody", path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_key_that_is_over_or_blocked_says_so() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    let (past, future) = (SystemTime::now() - Duration::from_secs(1), SystemTime::now() + PATIENCE);
    config.keys = vec![
        ClientKey { expires: Some(past), ..key("over", "sk-of-over") },
        ClientKey { blocked: true, ..key("shut", "sk-of-shut") },
        ClientKey { expires: Some(future), ..key("team-a", A) },
    ];
    let gateway = Gateway::start(&config);
    for (shown, kind, words) in [
        ("sk-of-over", "expired_key", "`over` has expired"),
        ("sk-of-shut", "auth_error", "`shut` is blocked"),
    ] {
        let answer = post_with(&gateway, shown, &chat("m")).await;
        let (status, said, message) = refusal(&answer);
        assert_eq!((status, said.as_str()), (401, kind));
        assert!(message.contains(words), "{message}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(post_with(&gateway, A, &chat("m")).await.status, 200);
    assert_eq!(upstream.requests(), 1);
}

#[tokio::test]
async fn requests_of_a_minute_are_exact_when_all_come_at_once() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    config.general.workers = std::num::NonZeroUsize::new(2);
    config.keys = vec![ClientKey { rpm_limit: Some(20), ..key("team-a", A) }, key("team-b", B)];
    let gateway = Arc::new(Gateway::start(&config));
    let asking: Vec<_> = (0..60)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { post_with(&gateway, A, &chat("m")).await })
        })
        .collect();
    let mut served = 0;
    for answer in asking {
        let answer = answer.await.unwrap();
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("20"));
        if answer.status == 200 {
            served += 1;
            continue;
        }
        let (status, kind, message) = refusal(&answer);
        assert_eq!((status, kind.as_str()), (429, "rate_limit_error"));
        assert!(message.contains("`team-a`") && message.contains("rpm_limit"), "{message}");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((50..=61).contains(&wait), "{wait}");
    }
    assert_eq!((served, upstream.requests()), (20, 20));
    // It is the one key's limit.
    assert_eq!(post_with(&gateway, B, &chat("m")).await.status, 200);
    assert_eq!(post_with(&gateway, MASTER, &chat("m")).await.status, 200);
}

#[tokio::test]
async fn what_reaches_no_deployment_takes_nothing_of_a_keys_minute() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    config.keys = vec![ClientKey { rpm_limit: Some(1), ..key("team-a", A) }];
    let gateway = Gateway::start(&config);
    for body in ["not JSON", "{}", &chat("unknown"), r#"{"model":"m","timeout":"soon"}"#] {
        assert_eq!(post_with(&gateway, A, body).await.status, 400);
    }
    let answer = post_with(&gateway, A, &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (200, Some("0")));
}

#[tokio::test]
async fn tokens_count_when_their_answer_is_over() {
    let upstream = upstream().await;
    let mut config = scene(&upstream.base());
    config.keys = vec![ClientKey { tpm_limit: Some(60), ..key("team-a", A) }];
    let gateway = Gateway::start(&config);
    for (status, remaining) in [(200, "60"), (200, "10"), (429, "0")] {
        let answer = post_with(&gateway, A, &chat("m")).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("60"));
        assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some(remaining));
    }
    assert_eq!(upstream.requests(), 2);
}

#[tokio::test]
async fn a_place_is_free_again_with_the_last_byte_or_when_the_client_leaves() {
    let mut upstream = Upstream::start().await;
    let mut config = scene(&upstream.base());
    config.keys = vec![ClientKey { max_parallel_requests: Some(1), ..key("team-a", A) }];
    let gateway = Gateway::start(&config);
    for leaves in [false, true, false] {
        let mut first = Client::connect(&gateway).await;
        first.send(request(CHAT, &headers(A), chat_stream("m").as_bytes())).await;
        let mut exchange = upstream.next_request().await;
        exchange.begins_stream().await;
        exchange.event("a").await;
        first.head().await;
        first.text().await;
        let answer = post_with(&gateway, A, &chat("m")).await;
        let (status, _, message) = refusal(&answer);
        assert_eq!((status, answer.header("retry-after")), (429, Some("1")));
        assert!(message.contains("max_parallel_requests"), "{message}");
        if leaves {
            first.leaves();
            exchange.wait_until_gone(PATIENCE).await;
            gateway.counts(&[0, 0, 0]).await;
        } else {
            exchange.ends_stream().await;
            assert!(first.rest().await.1);
        }
    }
    // An answer that cannot be had gives its place back, too.
    let mut client = Client::connect(&gateway).await;
    for _ in 0..3 {
        client.send(request(CHAT, &headers(A), chat("m").as_bytes())).await;
        upstream.next_request().await.answers(400, "{}").await;
        assert_eq!(client.answer().await.status, 400);
    }
}

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
