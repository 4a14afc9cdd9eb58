//! One physical deployment has one count, whatever name leads to it.

use leastbusy_gateway::config::{Alias, Config};

use super::client::{Client, get};
use super::gateway::{Gateway, config, deployment, entry};
use super::script::{Played, Upstream, streams};

struct Scene {
    gateway: Gateway,
    held: Vec<Client>,
}

impl Scene {
    fn start(config: &Config) -> Self {
        Self { gateway: Gateway::start(config), held: Vec::new() }
    }

    /// Opens a stream for `model`, which stays open.
    async fn holds(&mut self, model: &str) {
        let mut client = Client::connect(&self.gateway).await;
        client.asks_for_stream(model).await;
        assert_eq!(client.head().await.first_line, "HTTP/1.1 200 OK", "{model}");
        self.held.push(client);
    }

    /// The counts that `GET /router/deployments` shows.
    async fn shown(&self) -> Vec<u64> {
        let page = get(&self.gateway, "/router/deployments").await.json();
        page["data"].as_array().unwrap().iter().map(|entry| entry["in_flight"].as_u64().unwrap()).collect()
    }
}

async fn holding() -> Played {
    Upstream::playing(streams().event("held").then_hangs()).await
}

fn alias(model: &str) -> Alias {
    Alias { model: model.to_owned(), hidden: false }
}

#[tokio::test]
async fn group_name_alias_and_id_share_a_count() {
    let (first, second) = (holding().await, holding().await);
    let mut config = config([deployment("a", &first.base()), deployment("b", &second.base())]);
    config.aliases.insert("nick".to_owned(), alias("m"));
    let mut scene = Scene::start(&config);
    for held in 1..=4 {
        scene.holds("a").await;
        assert_eq!(scene.shown().await, [held, 0]);
    }
    for held in 1..=4 {
        scene.holds(if held % 2 == 0 { "nick" } else { "m" }).await;
        assert_eq!(scene.shown().await, [4, held], "the group does not see what its member has");
    }
}

#[tokio::test]
async fn entries_with_the_same_address_key_and_model_share_a_count() {
    let (first, second) = (holding().await, holding().await);
    let mut scene = Scene::start(&config([
        deployment("a", &first.base()),
        entry("also", "openai/m", "b", &first.base()),
        deployment("c", &second.base()),
    ]));
    scene.holds("also").await;
    scene.holds("b").await;
    assert_eq!(scene.shown().await, [2, 2, 0]);
    scene.holds("m").await;
    scene.holds("m").await;
    assert_eq!(scene.shown().await, [2, 2, 2]);
}

#[tokio::test]
async fn another_model_at_the_same_address_has_a_count_of_its_own() {
    let upstream = holding().await;
    let mut scene = Scene::start(&config([
        deployment("a", &upstream.base()),
        entry("n", "openai/n", "b", &upstream.base()),
    ]));
    scene.holds("m").await;
    assert_eq!(scene.shown().await, [1, 0]);
}

#[tokio::test]
async fn a_machine_of_ones_own_has_one_count_whatever_it_is_called() {
    let upstream = holding().await;
    let mut other_key = entry("k", "hosted_vllm/m", "c", &upstream.base());
    other_key.api_key = Some(leastbusy_gateway::config::Secret::new("sk-other"));
    let mut scene = Scene::start(&config([
        deployment("a", &upstream.base()),
        entry("n", "hosted_vllm/m", "b", &upstream.base()),
        other_key,
    ]));
    for model in ["m", "n", "k"] {
        scene.holds(model).await;
    }
    assert_eq!(scene.shown().await, [3, 3, 3]);
}

#[tokio::test]
async fn wildcards_at_one_address_share_the_count_of_what_nobody_names() {
    let upstream = holding().await;
    let mut scene = Scene::start(&config([
        entry("*", "openai/*", "any", &upstream.base()),
        entry("g-*", "openai/g-*", "g", &upstream.base()),
        deployment("a", &upstream.base()),
    ]));
    scene.holds("g-1").await;
    scene.holds("openai/g-1").await;
    assert_eq!(scene.shown().await, [2, 2, 0]);
    scene.holds("openai/m").await;
    assert_eq!(scene.shown().await, [2, 2, 1], "the provider in front is no part of the model");
}

#[tokio::test]
async fn names_that_a_wildcard_takes_in_share_its_counts() {
    let (first, second) = (holding().await, holding().await);
    let mut scene = Scene::start(&config([
        entry("openai/*", "openai/*", "a", &first.base()),
        entry("openai/*", "openai/*", "b", &second.base()),
    ]));
    for model in ["openai/one", "openai/two", "openai/three", "openai/four"] {
        scene.holds(model).await;
    }
    assert_eq!(scene.shown().await, [2, 2]);
}

#[tokio::test]
async fn a_wildcard_that_leads_to_a_named_model_shares_its_count() {
    let (first, second) = (holding().await, holding().await);
    let mut config = config([
        deployment("a", &first.base()),
        deployment("b", &second.base()),
        entry("any/*", "openai/*", "w", &first.base()),
    ]);
    config.aliases.insert("through".to_owned(), alias("any/m"));
    let mut scene = Scene::start(&config);
    scene.holds("any/m").await;
    scene.holds("through").await;
    scene.holds("any/other").await;
    assert_eq!(scene.shown().await, [2, 0, 1]);
    scene.holds("m").await;
    scene.holds("m").await;
    assert_eq!(scene.shown().await, [2, 2, 1]);
}

#[tokio::test]
async fn the_most_specific_wildcard_wins_and_fills_in_what_it_caught() {
    let mut upstream = Upstream::start().await;
    let base = upstream.base();
    let gateway = Gateway::start(&config([
        entry("*", "openai/*", "any", &base),
        entry("eu/*", "openai/europe-*", "eu", &base),
        entry("eu/*-mini", "openai/small-*", "mini", &base),
        // Named outright at the same address, which must not change where and how the others go.
        entry("fast", "openai/gpt", "fast", &base),
        entry("other", "openai/europe-gpt", "other", &base),
    ]));
    let cases = [
        ("eu/gpt-mini", "mini", "small-gpt"),
        ("eu/gpt", "eu", "europe-gpt"),
        ("gpt", "any", "gpt"),
        ("my-eu/gpt", "any", "my-eu/gpt"),
        ("openai/gpt", "any", "gpt"),
    ];
    for (asked, id, sent) in cases {
        let mut client = Client::connect(&gateway).await;
        client.asks(asked).await;
        let request = upstream.next_request().await;
        assert_eq!(request.json()["model"], sent);
        request.answers(200, "{}").await;
        assert_eq!(client.answer().await.header("x-litellm-model-id"), Some(id));
    }
}
