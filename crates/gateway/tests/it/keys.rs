//! Keys of clients: what each opens, and how much of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leastbusy_gateway::config::{Alias, ClientKey, Config, KeyHash, Secret};

use super::client::{Answer, CHAT, Client, chat, chat_stream, request};
use super::gateway::{Gateway, deployment, entry, on_one_worker};
use super::script::{Played, Upstream, answers};
use super::wire::PATIENCE;

pub(super) const A: &str = "sk-of-team-a";
pub(super) const B: &str = "sk-of-team-b";
pub(super) const MASTER: &str = "sk-of-the-operator";

pub(super) fn key(name: &str, key: &str) -> ClientKey {
    ClientKey::new(name, KeyHash::of(key.as_bytes()))
}

pub(super) fn headers(key: &str) -> String {
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

pub(super) async fn post_with(gateway: &Gateway, key: &str, body: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.send(request(CHAT, &headers(key), body.as_bytes())).await;
    client.answer().await
}

pub(super) async fn get_with(gateway: &Gateway, key: &str, path: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n{}\r\n", headers(key))).await;
    client.answer().await
}

pub(super) async fn upstream() -> Played {
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
    for path in ["/router/deployments", "/router/instances", "/health", "/health/backlog", "/metrics"] {
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
    let mut shut = entry("shut", "openai/shut", "d", &upstream.base());
    shut.blocked = true;
    config.deployments.push(shut);
    let gateway = Gateway::start(&config);
    for _ in 0..2 {
        let answer = post_with(&gateway, A, &chat("shut")).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (503, Some("1")));
    }
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
