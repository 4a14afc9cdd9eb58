//! Requests that belong together stay together, as far as the load allows.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leastbusy_gateway::config::{Affinity, ClientKey, Config, Hedge, KeyHash, TagFilter, TieBreak};
use serde_json::{Value, json};

use super::client::{CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, deployment, on_one_worker, retrying};
use super::script::{Played, Script, Upstream, answers, hangs, streams};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

fn by_session() -> Affinity {
    Affinity { session: true, ..Affinity::default() }
}

fn by_user() -> Affinity {
    Affinity { user: true, ..Affinity::default() }
}

fn by_prefix() -> Affinity {
    Affinity { prefix: true, ..Affinity::default() }
}

async fn playing(scripts: impl IntoIterator<Item = Script>) -> Vec<Played> {
    let mut upstreams = Vec::new();
    for script in scripts {
        upstreams.push(Upstream::playing(script).await);
    }
    upstreams
}

/// Upstreams as the deployments `a`, `b`, ... of the group `m`.
fn group(upstreams: &[Played], affinity: Affinity) -> Config {
    let mut config =
        retrying(upstreams.iter().zip(IDS).map(|(upstream, id)| deployment(id, &upstream.base())));
    config.router.tie_break = TieBreak::Random;
    config.router.affinity = affinity;
    config
}

/// Four upstreams that are always well.
async fn four(affinity: Affinity) -> (Vec<Played>, Config) {
    let upstreams = playing((0..4).map(|_| answers(200).json("{}"))).await;
    let config = group(&upstreams, affinity);
    (upstreams, config)
}

async fn served_by(gateway: &Gateway, headers: &str, body: &str) -> String {
    let mut client = Client::connect(gateway).await;
    client.send(request(CHAT, headers, body.as_bytes())).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The next request comes when this one is over.
    gateway.ends().await;
    answer.served_by().to_owned()
}

/// Who serves this request again and again; panics when it is not always the same.
async fn always(gateway: &Gateway, headers: &str, body: &str) -> String {
    let first = served_by(gateway, headers, body).await;
    for _ in 0..12 {
        assert_eq!(served_by(gateway, headers, body).await, first);
    }
    first
}

/// How often affinity came to each result.
async fn results(gateway: &Gateway) -> [u64; 4] {
    let metrics = get(gateway, "/metrics").await;
    ["hit", "too_busy", "unavailable", "unknown"].map(|result| {
        let series = format!(r#"leastbusy_affinity_total{{model_group="m",result="{result}"}} "#);
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(&series)).expect(&series);
        line.parse().unwrap()
    })
}

fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[],{fields}}}"#)
}

fn message(role: &str, what: &str) -> Value {
    json!({"role": role, "content": format!("{what}: {}", "word ".repeat(250))})
}

fn asking(messages: &[Value]) -> String {
    json!({"model": "m", "messages": messages}).to_string()
}

#[tokio::test]
async fn without_it_nothing_stays_together() {
    let (_upstreams, config) = four(Affinity::default()).await;
    let gateway = Gateway::start(&config);
    let body = json!({"model": "m", "user": "u", "messages": [message("user", "question")]}).to_string();
    let mut served = HashSet::new();
    for _ in 0..40 {
        served.insert(served_by(&gateway, "x-litellm-session-id: s\r\n", &body).await);
    }
    assert!(1 < served.len(), "40 requests by chance on one of four");
    assert_eq!(results(&gateway).await, [0; 4]);
}

#[tokio::test]
async fn a_session_stays_where_it_was_served_first() {
    let (_upstreams, config) = four(by_session()).await;
    let gateway = Gateway::start(&config);
    let mut served = HashSet::new();
    for session in 0..12 {
        let header = format!("x-litellm-session-id: s{session}\r\n");
        let by_header = always(&gateway, &header, &chat("m")).await;
        let field = with(&format!(r#""litellm_session_id":"s{session}""#));
        assert_eq!(served_by(&gateway, "", &field).await, by_header);
        let metadata = with(&format!(r#""metadata":{{"session_id":"s{session}"}}"#));
        assert_eq!(served_by(&gateway, "", &metadata).await, by_header);
        served.insert(by_header);
    }
    assert!(1 < served.len(), "12 sessions by chance on one of four");
    served_by(&gateway, "", &with(r#""user":"u""#)).await;
    assert_eq!(
        results(&gateway).await,
        [12 * 14, 0, 0, 12],
        "a request without a session has nothing to go by"
    );
}

#[tokio::test]
async fn a_user_stays_and_so_does_a_key_that_names_none() {
    let (_upstreams, mut config) = four(by_user()).await;
    let key = |name: &str, key: &str| ClientKey::new(name, KeyHash::of(key.as_bytes()));
    config.keys = vec![key("team-a", "sk-a"), key("team-b", "sk-b")];
    let gateway = Gateway::start(&config);
    let as_team = |team: &str| format!("authorization: Bearer sk-{team}\r\n");
    always(&gateway, &as_team("a"), &with(r#""user":"ada""#)).await;
    let key = always(&gateway, &as_team("a"), &chat("m")).await;
    always(&gateway, &as_team("b"), &chat("m")).await;
    // Whose key it is does not matter where the request says for whom it is.
    assert_eq!(served_by(&gateway, &as_team("b"), &with(r#""user":"team-a""#)).await, key);
}

#[tokio::test]
async fn a_chat_stays_as_it_grows_on_whatever_worker() {
    let (_upstreams, mut config) = four(by_prefix()).await;
    config.general.workers = NonZeroUsize::new(2);
    let gateway = Gateway::start(&config);
    for chat in 0..6 {
        let mut messages = vec![message("system", &format!("rules {chat}")), message("user", "question 0")];
        let first = served_by(&gateway, "", &asking(&messages)).await;
        for turn in 1..8 {
            messages.push(message("assistant", &format!("answer {turn}")));
            messages.push(message("user", &format!("question {turn}")));
            assert_eq!(served_by(&gateway, "", &asking(&messages)).await, first, "chat {chat}, turn {turn}");
        }
    }
    assert_eq!(results(&gateway).await, [42, 0, 0, 6]);
}

#[tokio::test]
async fn a_short_prompt_has_nothing_to_go_by() {
    let (_upstreams, config) = four(by_prefix()).await;
    let gateway = Gateway::start(&config);
    let short = asking(&[json!({"role": "user", "content": "word ".repeat(150)})]);
    for _ in 0..3 {
        served_by(&gateway, "", &short).await;
    }
    assert_eq!(results(&gateway).await, [0; 4]);
}

#[tokio::test]
async fn a_deployment_with_more_than_its_share_is_left_and_the_next_one_is_remembered() {
    let mut upstreams = [Upstream::start().await, Upstream::start().await];
    let mut config =
        on_one_worker(upstreams.iter().zip(IDS).map(|(upstream, id)| deployment(id, &upstream.base())));
    config.router.affinity = by_session();
    config.router.tie_break = TieBreak::First;
    let gateway = Gateway::start(&config);
    let body = with(r#""litellm_session_id":"s""#);
    let mut first = Client::connect(&gateway).await;
    first.post(CHAT, &body).await;
    upstreams[0].next_request().await.answers(200, "{}").await;
    assert_eq!(first.answer().await.served_by(), "a");
    // While it answers one, the next may still go there: 2 are at most 1.25 times the mean of 1, rounded up.
    let mut clients = Vec::new();
    let mut exchanges = Vec::new();
    for place in [0, 0, 1] {
        let mut client = Client::connect(&gateway).await;
        client.post(CHAT, &body).await;
        exchanges.push(upstreams[place].next_request().await);
        clients.push(client);
    }
    assert_eq!(results(&gateway).await, [2, 1, 0, 1]);
    // All end, the one on `b` last: that is where the session is now.
    for (client, exchange) in clients.iter_mut().zip(exchanges) {
        exchange.answers(200, "{}").await;
        client.answer().await;
    }
    gateway.ends().await;
    let mut last = Client::connect(&gateway).await;
    last.post(CHAT, &body).await;
    upstreams[1].next_request().await.answers(200, "{}").await;
    assert_eq!(last.answer().await.served_by(), "b");
}

#[tokio::test]
async fn a_retry_that_serves_is_remembered_and_a_deployment_that_failed_is_not() {
    let upstreams =
        playing([answers(500).json("{}"), answers(200).json("{}"), answers(200).json("{}")]).await;
    let mut config = group(&upstreams, by_session());
    config.router.tie_break = TieBreak::First;
    let gateway = Gateway::start(&config);
    let body = with(r#""litellm_session_id":"s""#);
    let answer = post(&gateway, CHAT, &body).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "b", (1, 0)));
    assert_eq!(always(&gateway, "", &body).await, "b", "`a` comes first, but has not served");
    assert_eq!(upstreams[0].requests(), 1);
}

#[tokio::test]
async fn while_a_deployment_rests_another_takes_over_and_keeps_the_session() {
    let requests = AtomicUsize::new(0);
    let second_is_too_many = move |_: &_| match requests.fetch_add(1, Ordering::SeqCst) {
        1 => answers(429).header("retry-after", "1").json("{}"),
        _ => answers(200).json("{}"),
    };
    let upstreams =
        [Upstream::playing_each(second_is_too_many).await, Upstream::playing(answers(200).json("{}")).await];
    let mut config = group(&upstreams, by_session());
    config.router.tie_break = TieBreak::First;
    let gateway = Gateway::start(&config);
    let body = with(r#""litellm_session_id":"s""#);
    assert_eq!(served_by(&gateway, "", &body).await, "a");
    let other = with(r#""litellm_session_id":"other""#);
    // `a` is overloaded now, and the other session goes to `b` instead.
    assert_eq!(served_by(&gateway, "", &other).await, "b");
    assert_eq!(served_by(&gateway, "", &body).await, "b");
    assert_eq!(results(&gateway).await, [0, 0, 1, 2]);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(always(&gateway, "", &body).await, "b", "its latest turns were read there");
}

#[tokio::test]
async fn one_that_the_tags_leave_out_is_unavailable_and_not_too_busy() {
    let (_upstreams, mut config) = four(by_session()).await;
    config.router.filters.tags = Some(TagFilter::default());
    config.deployments[0].tags = vec!["default".to_owned()];
    config.deployments[1].tags = vec!["paid".to_owned()];
    let gateway = Gateway::start(&config);
    let session = "x-litellm-session-id: s\r\n";
    assert_eq!(served_by(&gateway, session, &chat("m")).await, "a");
    assert_eq!(served_by(&gateway, session, &with(r#""tags":["paid"]"#)).await, "b");
    assert_eq!(results(&gateway).await, [0, 0, 1, 1]);
}

#[tokio::test]
async fn one_of_a_higher_order_is_unavailable_while_a_lower_one_can_serve() {
    let mut first = Upstream::start().await;
    let second = Upstream::playing(answers(200).json("{}")).await;
    let mut config = on_one_worker([deployment("a", &first.base()), deployment("b", &second.base())]);
    config.router.affinity = by_session();
    config.deployments[0].max_parallel_requests = Some(1);
    config.deployments[1].order = 1;
    let gateway = Gateway::start(&config);
    let session = with(r#""litellm_session_id":"s""#);
    let mut other = Client::connect(&gateway).await;
    other.post(CHAT, &with(r#""litellm_session_id":"other""#)).await;
    let exchange = first.next_request().await;
    assert_eq!(post(&gateway, CHAT, &session).await.served_by(), "b");
    exchange.answers(200, "{}").await;
    assert_eq!(other.answer().await.served_by(), "a");
    let mut again = Client::connect(&gateway).await;
    again.post(CHAT, &session).await;
    first.next_request().await.answers(200, "{}").await;
    assert_eq!(again.answer().await.served_by(), "a");
    assert_eq!(results(&gateway).await, [0, 0, 1, 2]);
}

#[tokio::test]
async fn what_is_not_used_for_the_ttl_is_forgotten() {
    let (_upstreams, mut config) = four(Affinity { ttl: Duration::from_secs(1), ..by_session() }).await;
    config.router.tie_break = TieBreak::First;
    let gateway = Gateway::start(&config);
    let body = with(r#""litellm_session_id":"s""#);
    served_by(&gateway, "", &body).await;
    served_by(&gateway, "", &body).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    served_by(&gateway, "", &body).await;
    assert_eq!(results(&gateway).await, [1, 0, 0, 2]);
}

#[tokio::test]
async fn a_stream_is_remembered_from_its_first_token() {
    let upstreams =
        playing((0..4).map(|_| streams().event(r#"{"choices":[{"delta":{"content":"x"}}]}"#).then_hangs()))
            .await;
    let mut config = group(&upstreams, Affinity { bound: 100.0, ..by_session() });
    config.router.tie_break = TieBreak::Random;
    let gateway = Gateway::start(&config);
    let body = r#"{"model":"m","stream":true,"messages":[],"litellm_session_id":"s"}"#;
    let mut open = Vec::new();
    let mut served = HashSet::new();
    for _ in 0..8 {
        let mut client = Client::connect(&gateway).await;
        client.post(CHAT, body).await;
        served.insert(client.head().await.header("x-litellm-model-id").unwrap().to_owned());
        open.push(client);
    }
    assert_eq!(served.len(), 1, "the bound of 100 lets all of them go there: {served:?}");
}

#[tokio::test]
async fn of_two_attempts_the_one_that_answers_is_remembered() {
    let upstreams = playing([hangs(), answers(200).json("{}")]).await;
    let mut config = group(&upstreams, by_session());
    config.router.tie_break = TieBreak::First;
    config.router.hedge = Hedge::After(Duration::from_millis(40));
    let gateway = Gateway::start(&config);
    let body = with(r#""litellm_session_id":"s""#);
    assert_eq!(served_by(&gateway, "", &body).await, "b");
    assert_eq!(always(&gateway, "", &body).await, "b");
    assert_eq!(upstreams[0].requests(), 1, "nobody asked the one that hangs again");
}
