//! Requests and tokens of the last minute, at one gateway and at several that share their state.

use std::time::{Duration, Instant};

use leastbusy_gateway::config::{Config, Redis, RedisNode, SharedState, Topology};

use super::client::{CHAT, Client, chat, chat_stream, get, post};
use super::gateway::{Gateway, config, deployment, on_one_worker, retrying};
use super::process::{Process, config_file};
use super::redis_kit::{Server, eventually};
use super::script::{Script, Upstream, answers, resets, streams};

/// An answer that took 42 tokens.
const FORTY_TWO: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42}}"#;

const WORD: &str = r#"{"choices":[{"delta":{"content":"x"}}]}"#;

fn sharing(config: Config, server: &Server) -> Config {
    let node = RedisNode::new("127.0.0.1", server.port());
    Config { shared_state: Some(SharedState::through(Redis::new(Topology::Standalone(node)))), ..config }
}

/// Requests and tokens of the first deployment, as its page shows them.
async fn shown(client: &mut Client) -> (Option<u64>, Option<u64>) {
    client.send("GET /router/deployments HTTP/1.1\r\nhost: g\r\n\r\n").await;
    let page = client.answer().await.json();
    let entry = &page["data"][0];
    (entry["requests_last_minute"].as_u64(), entry["tokens_last_minute"].as_u64())
}

async fn shows(gateway: &Gateway) -> (Option<u64>, Option<u64>) {
    shown(&mut Client::connect(gateway).await).await
}

/// Waits until a gateway shows so many requests and tokens; returns how long that took.
async fn comes_to_show(client: &mut Client, requests: u64, tokens: u64) -> Duration {
    let began = Instant::now();
    let what = format!("{requests} requests and {tokens} tokens");
    eventually(&what, async || shown(client).await == (Some(requests), Some(tokens))).await;
    began.elapsed()
}

/// What one request that is answered so shows at a gateway that counts tokens.
async fn taken(script: Script, request: &str) -> (Option<u64>, Option<u64>) {
    let server = Server::start().await;
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::start(&sharing(on_one_worker([deployment("a", &upstream.base())]), &server));
    let mut client = Client::connect(&gateway).await;
    client.post(CHAT, request).await;
    client.answer().await;
    gateway.ends().await;
    shows(&gateway).await
}

#[tokio::test]
async fn tokens_are_those_of_the_answer_or_else_estimated() {
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
    let (chat, chat_stream) = (chat("m"), chat_stream("m"));
    let prompt = |request: &str| request.len() as u64 / 4;
    for (script, request, tokens) in [
        (answers(200).json(FORTY_TWO), &chat, 42),
        (streams().event(WORD).event(stop).event(usage).done(), &chat_stream, 7),
        // An event is taken for a token, and four bytes.
        (streams().event(WORD).event(WORD).event(WORD).done(), &chat_stream, prompt(&chat_stream) + 3),
        (answers(200).json(r#"{"choices":[{"text":"12345"}]}"#), &chat, prompt(&chat) + 7),
        (answers(500).json(FORTY_TWO), &chat, 0),
        (resets(), &chat, 0),
    ] {
        assert_eq!(taken(script, request).await, (Some(1), Some(tokens)), "{request}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_has_taken_what_was_written() {
    let server = Server::start().await;
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&sharing(on_one_worker([deployment("a", &upstream.base())]), &server));
    let mut client = Client::connect(&gateway).await;
    let request = chat_stream("m");
    client.post(CHAT, &request).await;
    let mut exchange = upstream.next_request().await;
    exchange.begins_stream().await;
    exchange.event(WORD).await;
    client.head().await;
    client.text().await;
    for _ in 0..3 {
        exchange.event(WORD).await;
        client.text().await;
    }
    client.leaves();
    gateway.ends().await;
    assert_eq!(shows(&gateway).await, (Some(1), Some(request.len() as u64 / 4 + 4)));
}

#[tokio::test]
async fn every_attempt_is_a_request_to_its_deployment() {
    let (ill, well) =
        (Upstream::playing(answers(500).json("{}")).await, Upstream::playing(answers(200).json("{}")).await);
    let gateway =
        Gateway::start(&retrying([deployment("ill", &ill.base()), deployment("well", &well.base())]));
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    let page = get(&gateway, "/router/deployments").await.json();
    let of = |at: usize| {
        (page["data"][at]["requests_last_minute"].as_u64(), &page["data"][at]["tokens_last_minute"])
    };
    assert_eq!([of(0), of(1)], [(Some(1), &serde_json::Value::Null); 2], "nobody watches for tokens here");
    assert!(!get(&gateway, "/metrics").await.text().contains("leastbusy_tokens_last_minute"));
}

#[tokio::test]
async fn two_gateways_show_what_both_have_asked_for() {
    let server = Server::start().await;
    let upstream = Upstream::playing(answers(200).json(FORTY_TWO)).await;
    let config = sharing(config([deployment("a", &upstream.base())]), &server);
    let gateways = [Gateway::start(&config), Gateway::start(&config)];
    for (gateway, requests) in gateways.iter().zip([3, 5]) {
        for _ in 0..requests {
            assert_eq!(post(gateway, CHAT, &chat("m")).await.status, 200);
        }
    }
    for gateway in &gateways {
        let mut client = Client::connect(gateway).await;
        let took = comes_to_show(&mut client, 8, 8 * 42).await;
        eprintln!("it shows the sum {took:?} after it was asked");
        let metrics = get(gateway, "/metrics").await;
        for line in [
            "leastbusy_requests_last_minute{model_group=\"m\",deployment=\"a\"} 8\n",
            "leastbusy_tokens_last_minute{model_group=\"m\",deployment=\"a\"} 336\n",
        ] {
            assert!(metrics.text().contains(line), "{}", metrics.text());
        }
    }
    // One that stops tells what it did last, and a newcomer hears of it at once.
    let [stops, stays] = gateways;
    assert_eq!(post(&stops, CHAT, &chat("m")).await.status, 200);
    stops.stop().await;
    let newcomer = Gateway::start(&config);
    for gateway in [&stays, &newcomer] {
        let took = comes_to_show(&mut Client::connect(gateway).await, 9, 9 * 42).await;
        eprintln!("after the stop it shows the sum within {took:?}");
    }
}

#[tokio::test]
async fn what_a_killed_gateway_has_sent_still_counts() {
    let server = Server::start().await;
    let upstream = Upstream::playing(answers(200).json(FORTY_TWO)).await;
    let file = config_file(&format!(
        "model_list:\n- model_name: m\n  litellm_params:\n    model: openai/m\n    api_base: {}\n    api_key: k\n\
         router_settings: {{redis_host: 127.0.0.1, redis_port: {}}}\n",
        upstream.base(),
        server.port(),
    ));
    let (killed, stays) =
        (Process::start(file.path(), |_| ()).await, Process::start(file.path(), |_| ()).await);
    let mut client = killed.connect().await;
    for _ in 0..6 {
        client.post(CHAT, &chat("m")).await;
        assert_eq!(client.answer().await.status, 200);
    }
    let mut other = stays.connect().await;
    let heard = comes_to_show(&mut other, 6, 6 * 42).await;
    // SIGKILL.
    drop(killed);
    let began = Instant::now();
    // Its lease is 2 s; its counts are forgotten then, its usage is not.
    while began.elapsed() < Duration::from_millis(3500) {
        assert_eq!(shown(&mut other).await, (Some(6), Some(6 * 42)), "{:?} after the kill", began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let newcomer = Process::start(file.path(), |_| ()).await;
    let new = comes_to_show(&mut newcomer.connect().await, 6, 6 * 42).await;
    eprintln!(
        "heard within {heard:?}; counted for all of 3.5 s after the kill; a newcomer shows it after {new:?}"
    );
}
