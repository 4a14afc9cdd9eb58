//! What a failed attempt leads to within its model group, told by what each upstream hears.
//!
//! `D-..` and `R..` name the rows of the table of known defects and of the conformance table.

use std::time::{Duration, Instant};

use leastbusy_gateway::config::{ErrorClass, RetryPolicy, Timeouts};

use super::client::{CHAT, Client, chat, post, request};
use super::gateway::{Gateway, deployment, entry, retrying};
use super::script::{Upstream, answers, closes, hangs};

/// Less than the shortest rest, which is half a second.
const AT_ONCE: Duration = Duration::from_millis(450);
const ERROR: &str = r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#;

/// A gateway before `a` and `b`, of which `a` is asked first, and a client.
async fn two() -> (Gateway, [Upstream; 2], Client) {
    let [a, b] = [Upstream::start().await, Upstream::start().await];
    let gateway = Gateway::start(&retrying([deployment("a", &a.base()), deployment("b", &b.base())]));
    let client = Client::connect(&gateway).await;
    (gateway, [a, b], client)
}

// D-11, D-25, R11
#[tokio::test]
async fn a_retry_goes_to_another_deployment_at_once() {
    for status in [408, 429, 500, 502, 503, 504, 529] {
        let (gateway, [mut a, mut b], mut client) = two().await;
        let began = Instant::now();
        client.asks("m").await;
        let refused = answers(status).header("retry-after", "30").json(ERROR);
        a.next_request().await.plays(refused).await;
        b.next_request().await.answers(200, r#"{"from":"b"}"#).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, r#"{"from":"b"}"#), "{status}");
        assert_eq!((answer.served_by(), answer.detours()), ("b", (1, 0)), "{status}");
        assert_eq!(answer.header("retry-after"), None, "the words of `a` are not those of `b`");
        assert!(began.elapsed() < AT_ONCE, "{status}: {:?}", began.elapsed());
        a.saw_nothing();
        assert_eq!(gateway.story().await.len(), 2);
    }
}

// D-11, D-17: a connection that ends without an answer is a failure like any other.
#[tokio::test]
async fn a_connection_that_breaks_is_retried_elsewhere() {
    let (gateway, [mut a, mut b], mut client) = two().await;
    client.asks("m").await;
    a.next_request().await.resets();
    b.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (1, 0));
    assert_eq!(gateway.story().await, ["a: connection_failed", "b: success"]);
}

// D-02, C15
#[tokio::test]
async fn each_failed_attempt_ends_its_own_lease() {
    let failing = Upstream::playing(answers(500).json(ERROR)).await;
    let spare = Upstream::playing(answers(200).json("{}")).await;
    let ids = ["a", "b", "c", "d"];
    let mut config = retrying(ids.map(|id| deployment(id, &failing.base())));
    for (at, deployment) in config.deployments.iter_mut().enumerate() {
        // Deployments of one address and model would be one.
        deployment.model = format!("openai/m{at}");
    }
    config.deployments.push(entry("spare", "openai/spare", "s", &spare.base()));
    config.router.retries.num_retries = 3;
    config.router.fallbacks.general = vec![("m".to_owned(), vec!["spare".to_owned()])];
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "s", (3, 1)));
    let mut story = gateway.story().await;
    story.sort();
    let failed = ids.map(|id| format!("{id}: server_error"));
    assert_eq!(story, [failed.as_slice(), &["s: success".to_owned()]].concat());
    for _ in 0..5 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    gateway.ends().await;
    gateway.counts(&[0, 0, 0, 0, 0]).await;
}

// D-24, R10
#[tokio::test]
async fn nobody_sleeps_after_the_last_attempt() {
    let failing = Upstream::playing(answers(500).header("retry-after", "30").json(ERROR)).await;
    for retries in [0, 1] {
        let mut config = retrying([deployment("a", &failing.base()), deployment("b", &failing.base())]);
        config.deployments[1].model = "openai/n".to_owned();
        config.router.retries.num_retries = retries;
        let gateway = Gateway::start(&config);
        let began = Instant::now();
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.detours()), (500, (retries, 0)));
        assert!(began.elapsed() < AT_ONCE, "{retries}: {:?}", began.elapsed());
        assert_eq!(gateway.story().await.len() as u32, retries + 1);
    }
}

// D-24, R09: one rest before the retry, and none after it, which would take a second at least.
#[tokio::test]
async fn the_only_deployment_rests_before_it_is_asked_again() {
    let failing = Upstream::playing(answers(500).json(ERROR)).await;
    let mut config = retrying([deployment("a", &failing.base())]);
    config.router.retries.num_retries = 1;
    let gateway = Gateway::start(&config);
    let began = Instant::now();
    let answer = post(&gateway, CHAT, &chat("m")).await;
    let elapsed = began.elapsed();
    assert_eq!((answer.status, answer.detours()), (500, (1, 0)));
    assert!(Duration::from_millis(500) <= elapsed, "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(2000), "{elapsed:?}");
    assert_eq!(gateway.story().await, ["a: server_error", "a: server_error"]);
}

// D-25, R08
#[tokio::test]
async fn when_all_were_tried_the_first_is_asked_again_when_it_wants_to_be() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&retrying([deployment("a", &upstream.base())]));
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let request = upstream.next_request().await;
    let failed = Instant::now();
    request.plays(answers(503).header("retry-after", "1").json(ERROR)).await;
    let request = upstream.next_request().await;
    assert!(Duration::from_secs(1) <= failed.elapsed(), "{:?}", failed.elapsed());
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (1, 0));
    assert_eq!(gateway.story().await, ["a: overloaded", "a: success"]);
}

// D-26: here it is more than the first rest could be with all its jitter, 1.25 s.
#[tokio::test]
async fn retry_after_is_the_least_wait_before_the_same_deployment() {
    let mut upstream = Upstream::start().await;
    let mut config = retrying([deployment("a", &upstream.base())]);
    config.router.retries.retry_after = Duration::from_millis(1400);
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let request = upstream.next_request().await;
    let failed = Instant::now();
    request.answers(500, ERROR).await;
    let request = upstream.next_request().await;
    assert!(Duration::from_millis(1400) <= failed.elapsed(), "{:?}", failed.elapsed());
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    gateway.ends().await;
}

// D-30, R06, R12
#[tokio::test]
async fn a_deployment_that_refuses_us_is_left_out_and_its_sibling_asked() {
    for status in [401, 402, 403, 404] {
        let (gateway, [mut a, mut b], mut client) = two().await;
        client.asks("m").await;
        a.next_request().await.answers(status, ERROR).await;
        b.next_request().await.answers(200, "{}").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "b", (1, 0)), "{status}");
        gateway.ends().await;
    }
}

// D-30, R01, R12: it would say the same again, so nobody waits either.
#[tokio::test]
async fn a_deployment_that_refuses_us_is_not_asked_twice() {
    for status in [401, 402, 403, 404] {
        let upstream = Upstream::playing(answers(status).json(ERROR)).await;
        let gateway = Gateway::start(&retrying([deployment("a", &upstream.base())]));
        let began = Instant::now();
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.text(), answer.detours()), (status, ERROR, (0, 0)));
        assert!(began.elapsed() < AT_ONCE, "{status}");
        assert_eq!(upstream.requests(), 1, "{status}");
        gateway.ends().await;
    }
}

// R05 and the 400 rows: every deployment of the group would say the same.
#[tokio::test]
async fn a_request_that_is_wrong_is_not_retried() {
    let errors = [
        (400, "invalid_value", "a: bad_request"),
        (413, "too_large", "a: bad_request"),
        (422, "unprocessable", "a: bad_request"),
        (400, "context_length_exceeded", "a: context_window"),
        (400, "content_filter", "a: content_policy"),
    ];
    for (status, code, story) in errors {
        let (gateway, [mut a, mut b], mut client) = two().await;
        client.asks("m").await;
        let body = format!(r#"{{"error":{{"message":"no","type":null,"param":null,"code":"{code}"}}}}"#);
        a.next_request().await.answers(status, &body).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (status, body.as_str()));
        b.saw_nothing();
        assert_eq!(gateway.story().await, [story]);
    }
}

// D-34
#[tokio::test]
async fn the_words_of_a_message_decide_nothing() {
    let message = "No deployments available. APIConnectionError 429 rate limit context_length_exceeded";
    let body = format!(r#"{{"error":{{"message":"{message}","type":null,"param":null,"code":null}}}}"#);
    for (status, story) in [(400, "a: bad_request"), (404, "a: not_found"), (500, "a: server_error")] {
        let upstream = Upstream::playing(answers(status).json(&body)).await;
        let mut config = retrying([deployment("a", &upstream.base())]);
        config.router.retries.num_retries = 0;
        let gateway = Gateway::start(&config);
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.text()), (status, body.as_str()));
        assert_eq!(gateway.story().await, [story]);
    }
}

// D-19, D-31
#[tokio::test]
async fn retry_after_of_an_upstream_reaches_the_client_within_its_bound() {
    for (asked, told) in [("7", "7"), ("287441", "300")] {
        let upstream = Upstream::playing(answers(429).header("retry-after", asked).json(ERROR)).await;
        let mut config = retrying([deployment("a", &upstream.base())]);
        config.router.retries.num_retries = 0;
        let gateway = Gateway::start(&config);
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some(told)));
        gateway.ends().await;
    }
}

// D-27
#[tokio::test]
async fn one_deadline_holds_for_all_attempts_together() {
    let upstream = Upstream::playing(hangs()).await;
    let mut config = retrying(["a", "b", "c"].map(|id| deployment(id, &upstream.base())));
    for (at, deployment) in config.deployments.iter_mut().enumerate() {
        deployment.model = format!("openai/m{at}");
    }
    config.router.timeouts = Timeouts {
        first_byte: Some(Duration::from_millis(300)),
        total: Some(Duration::from_millis(500)),
        ..Timeouts::default()
    };
    let gateway = Gateway::start(&config);
    let began = Instant::now();
    let answer = post(&gateway, CHAT, &chat("m")).await;
    let elapsed = began.elapsed();
    assert_eq!((answer.status, answer.error()["type"].as_str()), (504, Some("timeout")));
    assert!(Duration::from_millis(450) < elapsed && elapsed < Duration::from_millis(850), "{elapsed:?}");
    assert_eq!(upstream.requests(), 2, "there was time for two attempts, not for three");
    gateway.ends().await;
}

// D-27: so that retries cannot become the storm.
#[tokio::test]
async fn a_group_without_a_retry_budget_does_not_retry() {
    let upstream = Upstream::playing(answers(500).json(ERROR)).await;
    let mut config = retrying([deployment("a", &upstream.base()), deployment("b", &upstream.base())]);
    config.deployments[1].model = "openai/n".to_owned();
    config.router.retries.budget_per_second = 0.0;
    let gateway = Gateway::start(&config);
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.detours(), (0, 0));
    assert_eq!(gateway.story().await.len(), 1);
}

// D-28, R13
#[tokio::test]
async fn no_first_byte_in_time_is_retried_on_another_deployment() {
    let hanging = Upstream::playing(hangs()).await;
    let well = Upstream::playing(answers(200).json("{}")).await;
    let mut config = retrying([deployment("a", &hanging.base()), deployment("b", &well.base())]);
    config.router.timeouts.first_byte = Some(Duration::from_millis(100));
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "b", (1, 0)));
    assert_eq!(gateway.story().await, ["a: timeout_first_byte", "b: success"]);
}

/// Attempts that a request with these further fields and headers makes before deployments that close connections.
async fn attempts(own: Option<u32>, fields: &str, headers: &str) -> usize {
    let upstream = Upstream::playing(closes()).await;
    let ids = ["a", "b", "c", "d", "e", "f"];
    let mut config = retrying(ids.map(|id| deployment(id, &upstream.base())));
    for (at, deployment) in config.deployments.iter_mut().enumerate() {
        deployment.model = format!("openai/m{at}");
        deployment.num_retries = own;
    }
    config.router.retries.num_retries = 1;
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    let body = format!(r#"{{"model":"m","messages":[]{fields}}}"#);
    client.send(request(CHAT, headers, body.as_bytes())).await;
    assert_eq!(client.answer().await.status, 502);
    let ends = gateway.ends().await;
    assert_eq!(ends.len(), upstream.requests());
    ends.len()
}

// R14
#[tokio::test]
async fn a_requests_own_num_retries_goes_before_a_deployments_and_this_before_the_routers() {
    assert_eq!(attempts(None, "", "").await, 2, "the router's");
    assert_eq!(attempts(Some(2), "", "").await, 3, "the deployment's");
    assert_eq!(attempts(Some(2), "", "x-litellm-num-retries: 3\r\n").await, 4, "the header's");
    let header = "x-litellm-num-retries: 3\r\n";
    assert_eq!(attempts(Some(2), r#","num_retries":4"#, header).await, 5, "the body's");
    assert_eq!(attempts(Some(2), r#","num_retries":0"#, header).await, 1, "none");
}

// R02, R03
#[tokio::test]
async fn a_policy_says_how_often_each_class_of_error_is_retried() {
    let mut policy = RetryPolicy::default();
    policy.by_class.set(ErrorClass::RateLimit, 0);
    policy.by_class.set(ErrorClass::InternalServer, 2);
    let mut own = RetryPolicy::default();
    own.by_class.set(ErrorClass::InternalServer, 1);
    for (group, status, expected) in [("m", 429, 1), ("m", 500, 3), ("m", 503, 2), ("other", 500, 2)] {
        let upstream = Upstream::playing(answers(status).json(ERROR)).await;
        let models = ["openai/1", "openai/2", "openai/3", "openai/4"];
        let groups = ["m", "other"].into_iter().flat_map(|group| models.map(|model| (group, model)));
        let mut config = retrying(
            groups.map(|(group, model)| entry(group, model, &format!("{group}-{model}"), &upstream.base())),
        );
        config.router.retries.num_retries = 1;
        config.router.retries.policy = policy;
        config.router.retries.group_policies = [("other".to_owned(), own)].into();
        let gateway = Gateway::start(&config);
        assert_eq!(post(&gateway, CHAT, &chat(group)).await.status, status);
        assert_eq!(gateway.story().await.len(), expected, "{group} {status}");
    }
}

// D-33
#[tokio::test]
async fn an_error_of_ours_names_no_deployment_and_no_address() {
    let upstream = Upstream::playing(closes()).await;
    let gateway = Gateway::start(&retrying([deployment("secret-id", &upstream.base())]));
    let mut client = Client::connect(&gateway).await;
    client.asks_with("m", r#""num_retries":0"#).await;
    let answer = client.answer().await;
    let message = answer.error()["message"].as_str().unwrap().to_owned();
    assert!(!message.contains("secret-id") && !message.contains("127.0.0.1"), "{message}");
    assert!(message.len() < 200, "{message}");
    gateway.ends().await;
}
