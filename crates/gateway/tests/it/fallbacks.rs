//! Where a request goes when its model group cannot serve it, told by what each upstream hears.

use std::time::{Duration, Instant};

use leastbusy_gateway::config::Config;
use serde_json::json;

use super::client::{CHAT, Client, chat, post};
use super::gateway::{Gateway, entry, retrying};
use super::script::{Played, Script, Upstream, answers, hangs};

fn failing(status: u16, code: &str) -> Script {
    answers(status)
        .json(&format!(r#"{{"error":{{"message":"no","type":null,"param":null,"code":"{code}"}}}}"#))
}

async fn well() -> Played {
    Upstream::playing(answers(200).json("{}")).await
}

/// A group for each name, with one deployment whose id is the name, at one upstream; no retries.
fn groups(names: &[(&str, &Played)]) -> Config {
    let mut config =
        retrying(names.iter().map(|(name, at)| entry(name, &format!("openai/{name}"), name, &at.base())));
    config.router.retries.num_retries = 0;
    config
}

/// One item of a list of fallbacks.
fn item(from: &str, to: &[&str]) -> (String, Vec<String>) {
    (from.to_owned(), to.iter().map(|&name| name.to_owned()).collect())
}

async fn asks_with(gateway: &Gateway, model: &str, fields: &str) -> super::client::Answer {
    let mut client = Client::connect(gateway).await;
    client.asks_with(model, fields).await;
    client.answer().await
}

// F01
#[tokio::test]
async fn each_kind_of_failure_goes_to_the_list_for_it() {
    let cases = [
        (failing(500, "x"), "general"),
        (failing(429, "x"), "general"),
        (hangs(), "general"),
        (failing(400, "invalid"), "general"),
        (failing(400, "context_length_exceeded"), "context"),
        (failing(400, "content_filter"), "content"),
    ];
    for (script, expected) in cases {
        let (bad, good) = (Upstream::playing(script).await, well().await);
        let mut config = groups(&[("m", &bad), ("general", &good), ("context", &good), ("content", &good)]);
        config.router.timeouts.first_byte = Some(Duration::from_millis(100));
        let fallbacks = &mut config.router.fallbacks;
        fallbacks.general = vec![item("m", &["general"])];
        fallbacks.context_window = vec![item("m", &["context"])];
        fallbacks.content_policy = vec![item("m", &["content"])];
        let gateway = Gateway::start(&config);
        let began = Instant::now();
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, expected, (0, 1)));
        assert_eq!(answer.header("x-litellm-model-group"), Some(expected));
        // D-24
        assert!(began.elapsed() < Duration::from_millis(450), "nobody sleeps before a fallback");
        gateway.ends().await;
    }
}

// F02, F03
#[tokio::test]
async fn the_list_is_tried_in_order_and_when_all_fail_the_first_groups_error_is_told() {
    let (first, bad, good) = (
        Upstream::playing(failing(503, "first").header("x-a", "b")).await,
        Upstream::playing(failing(500, "other")).await,
        well().await,
    );
    let mut config = groups(&[("m", &first), ("bad", &bad), ("good", &good)]);
    config.router.fallbacks.general = vec![item("m", &["bad", "good"]), item("bad", &[])];
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "good", (0, 2)));
    assert_eq!(gateway.story().await, ["m: overloaded", "bad: server_error", "good: success"]);

    let mut config = groups(&[("m", &first), ("bad", &bad)]);
    config.router.fallbacks.general = vec![item("m", &["bad"])];
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("first")));
    gateway.ends().await;
}

// F04, F05
#[tokio::test]
async fn circles_end_and_no_group_is_tried_twice() {
    let bad = Upstream::playing(failing(500, "x")).await;
    let mut config = groups(&[("m", &bad), ("n", &bad), ("o", &bad)]);
    config.router.fallbacks.general =
        vec![item("m", &["m", "n", "n", "o"]), item("n", &["o", "m"]), item("o", &["m", "n"])];
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.detours()), (500, (0, 2)));
    let expected = ["m: server_error", "n: server_error", "o: server_error"];
    assert_eq!(gateway.story().await, expected);
}

// D-27, F09
#[tokio::test]
async fn max_fallbacks_bounds_flat_lists_and_chains_alike() {
    let bad = Upstream::playing(failing(500, "x")).await;
    let names = ["m", "g1", "g2", "g3", "g4", "g5"];
    let flat = vec![item("m", &names[1..])];
    let chain = names.windows(2).map(|pair| item(pair[0], &pair[1..])).collect();
    for general in [flat, chain] {
        let mut config = groups(&names.map(|name| (name, &bad)));
        config.router.fallbacks.general = general;
        config.router.fallbacks.max = 2;
        let gateway = Gateway::start(&config);
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.detours(), (0, 2));
        let expected = ["m: server_error", "g1: server_error", "g2: server_error"];
        assert_eq!(gateway.story().await, expected);
    }
}

// F07, F10
#[tokio::test]
async fn a_request_can_do_without_fallbacks_or_ask_what_failed() {
    let (bad, good) = (Upstream::playing(failing(500, "x")).await, well().await);
    let mut config = groups(&[("m", &bad), ("good", &good)]);
    config.router.fallbacks.general = vec![item("m", &["good"])];
    let gateway = Gateway::start(&config);
    let answer = asks_with(&gateway, "m", r#""disable_fallbacks":true"#).await;
    assert_eq!((answer.status, answer.detours()), (500, (0, 0)));
    assert_eq!(good.requests(), 0);
    let answer = asks_with(&gateway, "m", r#""include_fallback_errors":true"#).await;
    let told: serde_json::Value =
        serde_json::from_str(answer.header("x-litellm-fallback-errors").unwrap()).unwrap();
    assert_eq!((answer.status, told), (200, json!([{"model_group": "m", "error": "server_error"}])));
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.header("x-litellm-fallback-errors"), None);
    gateway.ends().await;
}

// F11
#[tokio::test]
async fn default_fallbacks_serve_groups_without_a_list_and_unknown_names() {
    let (bad, good) = (Upstream::playing(failing(500, "x")).await, well().await);
    let mut config = groups(&[("m", &bad), ("good", &good)]);
    config.router.fallbacks.default = vec!["good".to_owned()];
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "good", (0, 1)));
    let answer = post(&gateway, CHAT, &chat("nobody-knows-it")).await;
    assert_eq!((answer.status, answer.served_by()), (200, "good"), "{}", answer.text());
    gateway.ends().await;
}

// F06
#[tokio::test]
async fn higher_order_levels_of_the_group_go_before_its_fallbacks() {
    let (bad, good) = (Upstream::playing(failing(500, "x")).await, well().await);
    for (second, expected) in [(&good, "m2: success"), (&bad, "other: success")] {
        let mut config = groups(&[("m", &bad), ("other", &good)]);
        config.deployments.push(entry("m", "openai/m2", "m2", &second.base()));
        config.deployments[2].order = 2;
        config.deployments[0].order = 1;
        config.router.fallbacks.general = vec![item("m", &["other"])];
        let gateway = Gateway::start(&config);
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
        let story = gateway.story().await;
        assert_eq!(story.first().unwrap(), "m: server_error");
        assert_eq!(story.last().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_requests_own_fallbacks_may_change_the_request_and_leave_no_trace_in_it() {
    let bad = Upstream::playing(failing(500, "x")).await;
    let mut upstream = Upstream::start().await;
    let mut config = groups(&[("m", &bad)]);
    config.deployments.push(entry("spare", "openai/spare-1", "spare", &upstream.base()));
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    let fields = r#""temperature":1,"seed":7,"num_retries":0,"include_fallback_errors":true,
        "fallbacks":[{"model":"spare","messages":[{"role":"user","content":"short"}],"temperature":0}]"#;
    client.asks_with("m", fields).await;
    let request = upstream.next_request().await;
    let expected = json!({
        "model": "spare-1",
        "messages": [{"role": "user", "content": "short"}],
        "temperature": 0,
        "seed": 7,
    });
    assert_eq!(request.json(), expected);
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (0, 1));

    client.asks_with("m", r#""fallbacks":["spare"]"#).await;
    let request = upstream.next_request().await;
    assert_eq!(request.json(), json!({"model": "spare-1", "messages": []}));
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.served_by(), "spare");
    gateway.ends().await;
}

#[tokio::test]
async fn a_mock_failure_shows_the_fallbacks_and_asks_nobody_of_the_group() {
    let (first, good) = (well().await, well().await);
    let mut config = groups(&[("m", &first), ("general", &good), ("context", &good)]);
    config.router.fallbacks.general = vec![item("m", &["general"])];
    config.router.fallbacks.context_window = vec![item("m", &["context"])];
    let gateway = Gateway::start(&config);
    for (field, expected) in
        [("mock_testing_fallbacks", "general"), ("mock_testing_context_fallbacks", "context")]
    {
        let answer = asks_with(&gateway, "m", &format!(r#""{field}":true"#)).await;
        assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, expected, (0, 1)));
    }
    assert_eq!(first.requests(), 0);
    gateway.ends().await;
}
