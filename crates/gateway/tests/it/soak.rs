//! Hundreds of requests with random endings on both sides: nothing leaks, nothing panics.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, chat, chat_stream, request};
use super::forms::upload_to;
use super::gateway::{Gateway, config, deployment, entry};
use super::script::{Script, Upstream, answers, closes, hangs, resets, streams};

const CLIENTS: usize = 16;
const REQUESTS_EACH: usize = 25;

/// One of the ways in which an upstream may answer.
fn answer(dice: &mut fastrand::Rng) -> Script {
    let pause = Duration::from_millis(dice.u64(0..8));
    match dice.u32(0..16) {
        0..4 => answers(200).json("{}"),
        4..7 => streams().event("a").pauses(pause).event("b").done(),
        7 => answers(200).chunked().chunk(&vec![b'x'; 100_000]).last_chunk(),
        8 => streams().event("a").pauses(pause).then_closes(),
        9 => streams().event("a").pauses(pause).then_resets(),
        10 => answers(200).claiming(50, b"{").then_closes(),
        11 => answers(500).json("{}"),
        12 => answers(204).empty(),
        13 => closes(),
        14 => resets(),
        _ => {
            if dice.bool() {
                hangs()
            } else {
                streams().event("a").then_hangs()
            }
        }
    }
}

/// One of the ways in which a client may behave; true when it has left.
async fn request_of(client: &mut Client, dice: &mut fastrand::Rng) -> bool {
    let model = dice.choice(["m", "a", "b", "nick", "any/m", "any/other", "unknown"]).unwrap();
    let bytes = match dice.u32(0..8) {
        0..3 => request("/v1/chat/completions", "", chat(model).as_bytes()),
        3..6 => request("/v1/chat/completions", "", chat_stream(model).as_bytes()),
        6 => upload_to("/v1/audio/transcriptions", model, &vec![b'x'; dice.usize(0..50_000)]),
        _ => request("/v1/embeddings", "", b"not JSON"),
    };
    if dice.u32(0..10) == 0 {
        client.send(&bytes[..dice.usize(0..bytes.len())]).await;
        return true;
    }
    client.send(&bytes).await;
    if dice.u32(0..4) == 0 {
        tokio::time::sleep(Duration::from_millis(dice.u64(0..5))).await;
        return true;
    }
    let answer = client.answer().await;
    !answer.whole || answer.header("connection") == Some("close")
}

#[tokio::test]
async fn whatever_happens_every_lease_ends_once() {
    let seed =
        std::env::var("SOAK_SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("SOAK_SEED={seed}");
    let upstream = |number: u64| {
        let dice = std::sync::Mutex::new(fastrand::Rng::with_seed(seed ^ number));
        Upstream::playing_each(move |_| answer(&mut dice.lock().unwrap()))
    };
    let (first, second) = (upstream(1).await, upstream(2).await);
    let mut config = config([
        deployment("a", &first.base()),
        deployment("b", &second.base()),
        entry("any/*", "openai/*", "w", &first.base()),
    ]);
    config.router.cooldown.disabled = true;
    config.router.timeouts.idle = Some(Duration::from_millis(150));
    config.router.timeouts.first_byte = Some(Duration::from_millis(150));
    config
        .aliases
        .insert("nick".to_owned(), leastbusy_gateway::config::Alias { model: "m".to_owned(), hidden: false });
    let gateway = Arc::new(Gateway::start(&config));
    let clients: Vec<_> = (0..CLIENTS as u64)
        .map(|number| {
            let gateway = Arc::clone(&gateway);
            let mut dice = fastrand::Rng::with_seed(seed.wrapping_add(100 + number));
            tokio::spawn(async move {
                let mut client = Client::connect(&gateway).await;
                for _ in 0..REQUESTS_EACH {
                    if request_of(&mut client, &mut dice).await {
                        client = Client::connect(&gateway).await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let ends = gateway.ends().await;
    assert!(CLIENTS * REQUESTS_EACH / 2 < ends.len(), "too few of them went upstream: {}", ends.len());
    assert_eq!(gateway.in_flight(), [0, 0, 0]);
}
