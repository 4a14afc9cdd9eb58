//! Answers that fail before a client could keep anything of them are had from another deployment; later ones are not.

use std::time::Duration;

use super::client::{Client, chat_stream};
use super::gateway::{Gateway, deployment, entry, retrying};
use super::script::{Script, Upstream, answers, streams};

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn word(text: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#)
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// What `b` streams, and what a client that gets all of it and nothing else sees.
fn whole() -> (Script, String) {
    let word = word("hello");
    let text = [ROLE, &word, STOP, "[DONE]"].map(event).concat();
    (streams().event(ROLE).event(&word).event(STOP).done(), text)
}

/// A gateway before `a` and `b`, of which `a` is asked first, and a client.
async fn two() -> (Gateway, [Upstream; 2], Client) {
    let [a, b] = [Upstream::start().await, Upstream::start().await];
    let mut config = retrying([deployment("a", &a.base()), deployment("b", &b.base())]);
    config.router.timeouts.idle = Some(Duration::from_millis(150));
    let gateway = Gateway::start(&config);
    let client = Client::connect(&gateway).await;
    (gateway, [a, b], client)
}

// S01
#[tokio::test]
async fn a_stream_that_is_refused_is_retried_like_any_request() {
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.asks_for_stream("m").await;
    a.next_request().await.answers(500, "{}").await;
    let (script, text) = whole();
    b.next_request().await.plays(script).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text(), answer.detours()), (200, text.as_str(), (1, 0)));
    assert_eq!(gateway.story().await, ["a: server_error", "b: success"]);
}

// S01
#[tokio::test]
async fn a_stream_that_everybody_refuses_is_an_error_with_its_status() {
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.post(super::client::CHAT, &chat_stream("m").replace("true,", r#"true,"num_retries":1,"#)).await;
    let body = r#"{"error":{"message":"from b","type":null,"param":null,"code":null}}"#;
    a.next_request().await.answers(503, "{}").await;
    b.next_request().await.answers(500, body).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (500, body), "the last failure of the group is told");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    gateway.ends().await;
}

// D-29, S02
#[tokio::test]
async fn a_stream_that_fails_before_its_first_word_is_retried_with_one_role_and_no_word_twice() {
    let error = r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#;
    let failures = [
        ("closes", streams().then_closes(), "broken_answer"),
        ("resets", streams().then_resets(), "broken_answer"),
        ("closes behind a role", streams().event(ROLE).then_closes(), "broken_answer"),
        ("resets behind a role", streams().event(ROLE).then_resets(), "broken_answer"),
        (
            "closes in the middle of a role",
            streams().event(ROLE).chunk(b"data: {\"ch").then_closes(),
            "broken_answer",
        ),
        ("ends behind a role", streams().event(ROLE).last_chunk(), "broken_answer"),
        ("ends without an event", streams().last_chunk(), "broken_answer"),
        ("sends pings and closes", streams().chunk(b": ping\n\n: ping\n\n").then_closes(), "broken_answer"),
        ("an error event", streams().event(error).done(), "server_error"),
        ("an error event behind a role", streams().event(ROLE).event(error).done(), "server_error"),
        ("hangs", streams().then_hangs(), "timeout_idle"),
        ("hangs behind a role", streams().event(ROLE).then_hangs(), "timeout_idle"),
    ];
    for (name, script, outcome) in failures {
        let (gateway, [mut a, mut b], mut client) = two().await;
        client.asks_for_stream("m").await;
        let request = a.next_request().await;
        tokio::join!(async { b.next_request().await.plays(whole().0).await }, request.plays(script));
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text(), answer.whole), (200, whole().1.as_str(), true), "{name}");
        assert_eq!((answer.served_by(), answer.detours()), ("b", (1, 0)), "{name}");
        assert_eq!(gateway.story().await, [&format!("a: {outcome}"), "b: success"], "{name}");
    }
}

// S02
#[tokio::test]
async fn an_error_event_before_the_first_word_falls_back() {
    let error = r#"{"error":{"message":"no","type":"overloaded_error","param":null,"code":null}}"#;
    let failing = Upstream::playing(streams().event(ROLE).event(error).done()).await;
    let well = Upstream::playing(whole().0).await;
    let mut config =
        retrying([deployment("a", &failing.base()), entry("spare", "openai/spare", "s", &well.base())]);
    config.router.retries.num_retries = 0;
    config.router.fallbacks.general = vec![("m".to_owned(), vec!["spare".to_owned()])];
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, whole().1.as_str()));
    assert_eq!((answer.header("x-litellm-model-group"), answer.detours()), (Some("spare"), (0, 1)));
    assert_eq!(gateway.story().await, ["a: overloaded", "s: success"]);
}

// S02: all fail, and nothing was sent yet: an answer with a status, not a 200 that ends in an error.
#[tokio::test]
async fn an_error_event_that_nobody_mends_is_an_error_with_a_status() {
    let error = r#"{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":null}}"#;
    let failing = Upstream::playing(streams().event(error).done()).await;
    let mut config = retrying([deployment("a", &failing.base())]);
    config.router.retries.num_retries = 0;
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.json()["error"]["message"].as_str()), (429, Some("slow down")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(gateway.story().await, ["a: rate_limited"]);
}

// D-28, D-29, S03
#[tokio::test]
async fn a_stream_that_fails_behind_its_first_word_ends_with_one_error_event() {
    let begun = || streams().event(ROLE).event(&word("hello"));
    let failures = [
        ("closes", begun().then_closes(), "broken_answer", "upstream_connection_error"),
        ("resets", begun().then_resets(), "broken_answer", "upstream_connection_error"),
        ("hangs", begun().then_hangs(), "timeout_idle", "timeout"),
    ];
    for (name, script, outcome, kind) in failures {
        let (gateway, [mut a, mut b], mut client) = two().await;
        client.asks_for_stream("m").await;
        let request = a.next_request().await;
        let (answer, ()) = tokio::join!(client.answer(), request.plays(script));
        let begun = [ROLE, &word("hello")].map(event).concat();
        let rest = answer.text().strip_prefix(&begun).unwrap_or_else(|| panic!("{name}: {}", answer.text()));
        let error: serde_json::Value =
            serde_json::from_str(rest.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap()).unwrap();
        assert_eq!(error["error"]["type"], kind, "{name}");
        assert_eq!((answer.status, answer.whole, answer.detours()), (200, true, (0, 0)), "{name}");
        b.saw_nothing();
        assert_eq!(gateway.story().await, [format!("a: {outcome}")], "{name}");
    }
}

// An upstream that stops in the middle of a sentence as if all were well.
#[tokio::test]
async fn a_stream_without_a_finish_reason_and_without_done_is_a_failure() {
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.asks_for_stream("m").await;
    a.next_request().await.plays(streams().event(ROLE).event(&word("hel")).last_chunk()).await;
    let answer = client.answer().await;
    let text = answer.text();
    assert_eq!(text.matches("\"error\"").count(), 1, "{text}");
    assert!(text.starts_with(&[ROLE, &word("hel")].map(event).concat()), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    b.saw_nothing();
    assert_eq!(gateway.story().await, ["a: broken_answer"]);
}

#[tokio::test]
async fn a_finish_reason_or_done_alone_is_a_good_end() {
    for ends in [streams().event(&word("hi")).event(STOP).last_chunk(), streams().event(&word("hi")).done()] {
        let (gateway, [mut a, _b], mut client) = two().await;
        client.asks_for_stream("m").await;
        a.next_request().await.plays(ends).await;
        assert!(!client.answer().await.text().contains("error"));
        assert_eq!(gateway.story().await, ["a: success"]);
    }
}

// The upstream's own error event in the middle: it is passed on as it is, and counts as a failure.
#[tokio::test]
async fn an_error_event_behind_the_first_word_is_passed_on_once() {
    let error = r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#;
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.asks_for_stream("m").await;
    a.next_request().await.plays(streams().event(&word("hel")).event(error).last_chunk()).await;
    let answer = client.answer().await;
    assert_eq!(answer.text(), [&word("hel"), error].map(event).concat());
    b.saw_nothing();
    assert_eq!(gateway.story().await, ["a: server_error"]);
}

// The word reaches the client at once; only what carries nothing is held back.
#[tokio::test]
async fn nothing_is_held_back_from_the_first_word_on() {
    let (gateway, [mut a, _b], mut client) = two().await;
    client.asks_for_stream("m").await;
    let mut request = a.next_request().await;
    request.begins_stream().await;
    request.event(ROLE).await;
    request.event(&word("hello")).await;
    assert_eq!(client.head().await.header("content-type"), Some("text/event-stream"));
    let mut text = client.text().await;
    while text.len() < [ROLE, &word("hello")].map(event).concat().len() {
        text += &client.text().await;
    }
    assert_eq!(text, [ROLE, &word("hello")].map(event).concat());
    request.event(STOP).await;
    assert_eq!(client.text().await, event(STOP));
    request.ends_stream().await;
    client.rest().await;
    assert_eq!(gateway.story().await, ["a: success"]);
}

#[tokio::test]
async fn a_json_answer_that_breaks_off_is_had_from_another_deployment() {
    let half = b"{\"choices\":[";
    let failures = [
        ("a length that is not kept", answers(200).claiming(100, half).then_closes()),
        ("a length that is not kept, and a reset", answers(200).claiming(100, half).then_resets()),
        ("a length and not a byte", answers(200).claiming(100, b"").then_closes()),
        ("no last chunk", answers(200).chunked().chunk(half).then_closes()),
        ("a hang", answers(200).claiming(100, half).then_hangs()),
    ];
    for (name, script) in failures {
        let (gateway, [mut a, mut b], mut client) = two().await;
        client.asks("m").await;
        let request = a.next_request().await;
        let whole = r#"{"choices":[]}"#;
        tokio::join!(async { b.next_request().await.answers(200, whole).await }, request.plays(script));
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text(), answer.whole), (200, whole, true), "{name}");
        assert_eq!((answer.served_by(), answer.detours()), ("b", (1, 0)), "{name}");
        assert_eq!(gateway.story().await.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn an_error_that_breaks_off_is_retried_too() {
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.asks("m").await;
    a.next_request().await.plays(answers(400).claiming(100, b"{\"error\"").then_closes()).await;
    b.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (1, 0));
    assert_eq!(gateway.story().await, ["a: broken_answer", "b: success"]);
}
