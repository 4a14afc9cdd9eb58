//! Who serves a request at all: tags, context windows, and deployments that are blocked.

use std::time::Duration;

use leastbusy_gateway::config::{Config, Deployment, Strategy, TagFilter};
use serde_json::json;

use super::client::{Answer, CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, deployment, entry, on_one_worker, retrying};
use super::script::{Played, Upstream, answers, hangs};

async fn well() -> Played {
    Upstream::playing(answers(200).json("{}")).await
}

/// A deployment of the group `m` with these tags, whose id is `id`.
fn tagged(id: &str, tags: &[&str], at: &Played) -> Deployment {
    Deployment { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..deployment(id, &at.base()) }
}

/// A deployment of the group `m` for prompts of so many tokens.
fn reads(id: &str, tokens: u64, at: &Played) -> Deployment {
    Deployment { max_input_tokens: Some(tokens), ..deployment(id, &at.base()) }
}

fn with_tags(deployments: impl IntoIterator<Item = Deployment>) -> Config {
    let mut config = on_one_worker(deployments);
    config.router.filters.tags = Some(TagFilter::default());
    config.router.strategy = Strategy::RoundRobin;
    config
}

async fn asks(gateway: &Gateway, headers: &str, fields: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    let body = format!(r#"{{"model":"m","messages":[]{fields}}}"#);
    client.send(request(CHAT, headers, body.as_bytes())).await;
    client.answer().await
}

/// Who serves twelve requests with these headers and fields, each named once: where several may, they take turns.
async fn served(gateway: &Gateway, headers: &str, fields: &str) -> Vec<String> {
    let mut served = Vec::new();
    for _ in 0..12 {
        let answer = asks(gateway, headers, fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        served.push(answer.served_by().to_owned());
    }
    served.sort();
    served.dedup();
    served
}

// T01
#[tokio::test]
async fn tags_choose_among_deployments_wherever_they_stand() {
    let at = well().await;
    let gateway = Gateway::start(&with_tags([
        tagged("free", &["free", "default"], &at),
        tagged("paid", &["paid"], &at),
        tagged("paid-eu", &["paid", "eu"], &at),
    ]));
    for (headers, fields, expected) in [
        ("", "", vec!["free"]),
        ("", r#","tags":["paid"]"#, vec!["paid", "paid-eu"]),
        ("", r#","metadata":{"tags":["paid","&eu"]}"#, vec!["paid-eu"]),
        ("x-litellm-tags: paid, !eu\r\n", "", vec!["paid"]),
        // A tag that is about something else.
        ("", r#","metadata":{"tags":["team-7"]}"#, vec!["free"]),
    ] {
        assert_eq!(served(&gateway, headers, fields).await, expected, "{headers}{fields}");
    }
    let refused = asks(&gateway, "", r#","tags":["paid","!paid"]"#).await;
    let error = refused.error();
    assert_eq!((refused.status, &error["type"]), (401, &json!("no_deployment_for_tags")));
    assert_eq!((&error["param"], &error["code"]), (&json!("tags"), &json!("401")));
    assert!(error["message"].as_str().unwrap().contains("`paid`, `!paid`"), "{error}");
    assert_eq!(at.requests(), 5 * 12, "who is refused costs nobody a request");
    // A deployment that is asked for by its id is meant.
    let by_id = post(&gateway, CHAT, r#"{"model":"paid","messages":[],"tags":["free"]}"#).await;
    assert_eq!((by_id.status, by_id.served_by()), (200, "paid"));
}

#[tokio::test]
async fn a_user_agent_leads_to_the_deployments_that_are_for_it() {
    let at = well().await;
    let mut for_claude = deployment("claude", &at.base());
    for_claude.tag_regex = vec!["^User-Agent: claude-cli/\\d".to_owned()];
    let mut config = with_tags([for_claude, tagged("others", &["default"], &at)]);
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, "user-agent: claude-cli/2.1\r\n", "").await, ["claude"]);
    assert_eq!(served(&gateway, "user-agent: curl/8\r\n", "").await, ["others"]);
    assert_eq!(served(&gateway, "", "").await, ["others"]);
    drop(gateway);
    config.deployments.pop();
    let gateway = Gateway::start(&config);
    let refused = asks(&gateway, "user-agent: curl/8\r\n", "").await;
    assert_eq!((refused.status, &refused.error()["type"]), (401, &json!("no_deployment_for_tags")));
}

#[tokio::test]
async fn a_request_can_have_its_tags_count_and_cannot_have_them_ignored() {
    let at = well().await;
    let mut config = with_tags([tagged("free", &["free"], &at), tagged("paid", &["paid"], &at)]);
    let on = r#","tags":["paid"],"router_settings_override":{"enable_tag_filtering":true}"#;
    let off = r#","tags":["paid"],"router_settings_override":{"enable_tag_filtering":false}"#;
    assert_eq!(served(&Gateway::start(&config), "", off).await, ["paid"]);
    config.router.filters.tags = None;
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, "", on).await, ["paid"]);
    assert_eq!(served(&gateway, "", r#","tags":["paid"]"#).await, ["free", "paid"]);
}

#[tokio::test]
async fn retries_and_hedges_keep_to_the_tags() {
    let (fails, hung, at) =
        (Upstream::playing(answers(500).json("{}")).await, Upstream::playing(hangs()).await, well().await);
    let mut config = retrying([
        tagged("fails", &["paid"], &fails),
        tagged("free", &["free"], &at),
        tagged("paid", &["paid"], &at),
    ]);
    config.router.filters.tags = Some(TagFilter::default());
    let gateway = Gateway::start(&config);
    let answer = asks(&gateway, "", r#","tags":["paid"]"#).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "paid", (1, 0)));
    drop(gateway);
    config.deployments[0] = tagged("hung", &["paid"], &hung);
    config.router.hedge = leastbusy_gateway::config::Hedge::After(Duration::from_millis(20));
    let gateway = Gateway::start(&config);
    let answer = asks(&gateway, "", r#","tags":["paid"]"#).await;
    assert_eq!((answer.status, answer.served_by()), (200, "paid"));
}

#[tokio::test]
async fn fallbacks_take_over_from_a_group_without_the_tags_and_keep_to_them() {
    let at = well().await;
    let mut other = tagged("other", &["paid"], &at);
    other.model_name = "other".to_owned();
    let mut config = with_tags([tagged("free", &["free"], &at), other]);
    config.router.fallbacks.general = vec![("m".to_owned(), vec!["other".to_owned()])];
    let gateway = Gateway::start(&config);
    let answer = asks(&gateway, "", r#","tags":["paid"]"#).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "other", (0, 1)));
    let refused = asks(&gateway, "", r#","tags":["gold"]"#).await;
    assert_eq!((refused.status, &refused.error()["type"]), (401, &json!("no_deployment_for_tags")));
    assert!(refused.text().contains("`m`"), "the error of what was asked for: {}", refused.text());
}

#[tokio::test]
async fn a_prompt_goes_to_deployments_that_can_read_it() {
    let at = well().await;
    let mut config = on_one_worker([reads("small", 100, &at), reads("large", 1000, &at)]);
    config.router.strategy = Strategy::RoundRobin;
    config.router.filters.context_window = true;
    let gateway = Gateway::start(&config);
    let long = format!(r#","tools":["{}"]"#, "x".repeat(500));
    let with_picture = format!(r#","tools":["data:image/png;base64,{}"]"#, "A".repeat(500));
    for (fields, expected) in
        [("", vec!["large", "small"]), (&long, vec!["large"]), (&with_picture, vec!["large", "small"])]
    {
        assert_eq!(served(&gateway, "", fields).await, expected, "{fields}");
    }
    // Nobody refuses it here: the estimate may be wrong. The largest decides.
    let too_long = format!(r#","tools":["{}"]"#, "x".repeat(5000));
    assert_eq!(served(&gateway, "", &too_long).await, ["large"]);
    config.router.filters.context_window = false;
    assert_eq!(served(&Gateway::start(&config), "", &long).await, ["large", "small"]);
}

#[tokio::test]
async fn one_that_is_too_long_goes_to_the_fallbacks_for_that() {
    let at = well().await;
    let dead = Upstream::playing(answers(500).json("{}")).await;
    let mut long = entry("long", "openai/long", "long", &at.base());
    let mut config = on_one_worker([reads("small", 100, &at), long.clone()]);
    config.router.filters.context_window = true;
    config.router.fallbacks.context_window = vec![("m".to_owned(), vec!["long".to_owned()])];
    let gateway = Gateway::start(&config);
    let too_long = format!(r#","tools":["{}"]"#, "x".repeat(500));
    let answer = asks(&gateway, "", &too_long).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "long", (0, 1)));
    assert_eq!(asks(&gateway, "", "").await.served_by(), "small");
    // Without a way elsewhere, the estimate refuses nothing.
    let stays = asks(&gateway, "", &format!(r#"{too_long},"disable_fallbacks":true"#)).await;
    assert_eq!((stays.status, stays.served_by(), stays.detours()), (200, "small", (0, 0)));
    // The request may bring its own list, and another prompt for it.
    let own = r#","context_window_fallbacks":[{"model":"m","messages":["short"]}]"#;
    let short = asks(&gateway, "", &format!("{too_long}{own}")).await;
    assert_eq!((short.status, short.served_by()), (200, "small"));
    drop(gateway);
    // A fallback that fails says more than an estimate.
    long.api_base = Some(dead.base());
    config.deployments[1] = long;
    let gateway = Gateway::start(&config);
    assert_eq!(asks(&gateway, "", &too_long).await.status, 500);
}

/// A fallback for prompts that are too long, which is too short for them as well.
fn both_short(at: &Played, fallback: &Deployment) -> Config {
    let mut config = on_one_worker([reads("small", 100, at), fallback.clone()]);
    config.deployments[1].max_input_tokens = Some(200);
    config.router.filters.context_window = true;
    config.router.fallbacks.context_window = vec![("m".to_owned(), vec!["long".to_owned()])];
    config.router.queue.timeout = Duration::from_millis(100);
    config
}

#[tokio::test]
async fn where_the_fallback_is_too_short_as_well_the_group_that_was_asked_for_decides() {
    let at = well().await;
    let gateway = Gateway::start(&both_short(&at, &entry("long", "openai/long", "long", &at.base())));
    let too_long = format!(r#","tools":["{}"]"#, "x".repeat(5000));
    let answer = asks(&gateway, "", &too_long).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "small", (0, 0)));
}

#[tokio::test]
async fn a_fallback_that_is_too_short_and_full_costs_nothing() {
    let (at, mut held) = (well().await, Upstream::start().await);
    let mut config = both_short(&at, &entry("long", "openai/long", "long", &held.base()));
    config.deployments[0].max_parallel_requests = Some(1);
    config.deployments[0].api_base = Some(held.base());
    config.deployments[1].max_parallel_requests = Some(1);
    let gateway = Gateway::start(&config);
    let mut holders = Vec::new();
    for model in ["m", "long"] {
        let mut client = Client::connect(&gateway).await;
        client.asks(model).await;
        holders.push((client, held.next_request().await));
    }
    let too_long = format!(r#","tools":["{}"]"#, "x".repeat(5000));
    let refused = asks(&gateway, "", &too_long).await;
    assert_eq!((refused.status, &refused.error()["type"]), (429, &json!("all_deployments_full")));
    assert_eq!(refused.detours(), (0, 0));
    // Once the fallback has a place, it serves, and counts.
    let (_client, exchange) = holders.pop().unwrap();
    exchange.answers(200, "{}").await;
    let mut client = Client::connect(&gateway).await;
    client.asks_with("m", &too_long[1..]).await;
    held.next_request().await.answers(200, "{}").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "long", (0, 1)));
}

#[tokio::test]
async fn a_retry_keeps_to_those_that_can_read_the_prompt() {
    let (fails, at) = (Upstream::playing(answers(500).json("{}")).await, well().await);
    let mut config =
        retrying([reads("fails", 1000, &fails), reads("small", 100, &at), reads("large", 1000, &at)]);
    config.router.filters.context_window = true;
    // One that some can read, and one that is too long for all.
    for length in [2000, 10_000] {
        let gateway = Gateway::start(&config);
        let answer = asks(&gateway, "", &format!(r#","tools":["{}"]"#, "x".repeat(length))).await;
        assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "large", (1, 0)), "{length}");
    }
}

#[tokio::test]
async fn a_fallback_list_for_other_groups_refuses_nothing() {
    let at = well().await;
    let mut config = on_one_worker([reads("small", 100, &at), entry("x", "openai/x", "x", &at.base())]);
    config.router.filters.context_window = true;
    config.router.fallbacks.context_window = vec![("x".to_owned(), vec!["m".to_owned()])];
    let gateway = Gateway::start(&config);
    let too_long = format!(r#","tools":["{}"]"#, "x".repeat(500));
    let answer = asks(&gateway, "", &too_long).await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "small", (0, 0)));
}

#[tokio::test]
async fn nothing_goes_to_a_deployment_that_is_blocked() {
    let (at, blocked) = (well().await, well().await);
    let mut config = on_one_worker([
        Deployment { blocked: true, ..deployment("blocked", &blocked.base()) },
        deployment("open", &at.base()),
    ]);
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, "", "").await, ["open"]);
    let by_id = post(&gateway, CHAT, &chat("blocked")).await;
    assert_eq!((by_id.status, &by_id.error()["type"]), (503, &json!("all_deployments_blocked")));
    let shown = get(&gateway, "/router/deployments").await.json();
    assert_eq!((&shown["data"][0]["blocked"], &shown["data"][1]["blocked"]), (&json!(true), &json!(false)));
    let health = get(&gateway, "/health").await.json();
    assert_eq!((&health["healthy_count"], &health["unhealthy_count"]), (&json!(1), &json!(0)));
    assert_eq!(blocked.requests(), 0);
    drop(gateway);
    config.deployments[1].blocked = true;
    let gateway = Gateway::start(&config);
    let refused = asks(&gateway, "", "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, None));
    assert!(refused.text().contains("all are blocked"), "{}", refused.text());
}
