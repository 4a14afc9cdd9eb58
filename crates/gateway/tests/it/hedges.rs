//! Hedges: a second attempt beside one that is slow to answer.

use std::time::{Duration, Instant};

use leastbusy_balance::{Outcome, TieBreak};
use leastbusy_gateway::config::{Config, Hedge};

use super::client::{CHAT, chat, chat_stream, post};
use super::gateway::{Gateway, deployment, on_one_worker};
use super::script::{Script, Upstream, answers, hangs, streams};

const PATIENCE: Duration = Duration::from_millis(60);

fn hedging(first: &str, second: &str) -> Config {
    let mut config = on_one_worker([deployment("a", first), deployment("b", second)]);
    config.router.tie_break = TieBreak::First;
    config.router.hedge = Hedge::After(PATIENCE);
    config
}

async fn outcomes(gateway: &Gateway) -> Vec<(String, Outcome)> {
    let mut ends: Vec<_> =
        gateway.ends().await.into_iter().map(|end| (end.deployment, end.outcome)).collect();
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    ends
}

fn slow() -> Script {
    answers(200).pauses(Duration::from_millis(400)).json("{}")
}

#[tokio::test]
async fn a_second_attempt_answers_for_one_that_hangs_and_the_loser_is_cut() {
    for (body, script) in [
        (chat("m"), answers(200).json(r#"{"choices":[]}"#)),
        (chat_stream("m"), streams().event("token").done().last_chunk()),
    ] {
        let mut first = Upstream::start().await;
        let second = Upstream::playing(script).await;
        let gateway = Gateway::start(&hedging(&first.base(), &second.base()));
        let started = Instant::now();
        let answer = post(&gateway, CHAT, &body).await;
        assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("b")));
        assert!(PATIENCE <= started.elapsed(), "the first one has its time");
        first.next_request().await.wait_until_gone(Duration::from_secs(5)).await;
        let expected = [("a".to_owned(), Outcome::HedgeLost), ("b".to_owned(), Outcome::Success)];
        assert_eq!(outcomes(&gateway).await, expected);
    }
}

#[tokio::test]
async fn an_answer_in_time_needs_no_second_attempt() {
    let first = Upstream::playing(answers(200).json("{}")).await;
    let second = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::start(&hedging(&first.base(), &second.base()));
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    assert_eq!(gateway.only_outcome().await, Outcome::Success);
    assert_eq!(second.requests(), 0);
}

#[tokio::test]
async fn a_second_attempt_that_fails_leaves_the_first_its_time() {
    let first = Upstream::playing(slow()).await;
    let second = Upstream::playing(answers(500).json("{}")).await;
    let gateway = Gateway::start(&hedging(&first.base(), &second.base()));
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("a")));
    let expected = [("a".to_owned(), Outcome::Success), ("b".to_owned(), Outcome::ServerError)];
    assert_eq!(outcomes(&gateway).await, expected);
}

#[tokio::test]
async fn a_hedge_needs_the_retry_budget_and_is_off_unless_asked_for() {
    let (first, second) = (Upstream::playing(slow()).await, Upstream::playing(hangs()).await);
    let mut without_budget = hedging(&first.base(), &second.base());
    (without_budget.router.retries.budget_percent, without_budget.router.retries.budget_per_second) =
        (0.0, 0.0);
    let mut off = hedging(&first.base(), &second.base());
    off.router.hedge = Hedge::default();
    for config in [without_budget, off] {
        let gateway = Gateway::start(&config);
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
        assert_eq!(gateway.only_outcome().await, Outcome::Success);
    }
    assert_eq!(second.requests(), 0);
}

#[tokio::test]
async fn a_percentile_is_learned_from_the_answers_that_came() {
    let dice = std::sync::atomic::AtomicUsize::new(0);
    let first =
        Upstream::playing_each(move |_| match dice.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..20 => answers(200).json("{}"),
            _ => hangs(),
        })
        .await;
    let second = Upstream::playing(answers(200).json("{}")).await;
    let mut config = hedging(&first.base(), &second.base());
    config.router.hedge = Hedge::Percentile(90.0);
    let gateway = Gateway::start(&config);
    for _ in 0..20 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("b")));
}
