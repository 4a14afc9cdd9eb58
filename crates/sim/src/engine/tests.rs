use std::time::Duration;

use super::Engine;
use crate::Job;

#[test]
fn a_request_alone_takes_its_prompt_its_first_token_and_its_answer() {
    let job = Job { arrival: Duration::ZERO, prompt_tokens: 300.0, output_tokens: 40.0 };
    let engine = Engine::new("plain", 8, 20.0);
    assert_eq!(engine.alone(&job), Duration::from_secs(2));
    let engine = Engine {
        prefill_tokens_per_second: Some(100.0),
        first_token_time: Duration::from_millis(500),
        ..engine
    };
    assert_eq!(engine.alone(&job), Duration::from_millis(5500));
}

#[test]
fn capacity_is_what_the_narrowest_place_lets_through() {
    let capacity = |engine: &Engine| engine.capacity(200.0, 100.0);
    // An answer takes 5 s in one of eight slots.
    let engine = Engine::new("slots", 8, 20.0);
    assert_eq!(capacity(&engine), 1.6);
    assert_eq!(capacity(&Engine { first_token_time: Duration::from_secs(3), ..engine.clone() }), 1.0);
    assert_eq!(capacity(&Engine { full_speed: 2, ..engine.clone() }), 0.4);
    // Prompts take 1 s each, one after the other; with one slot, answers as well.
    let reading = Engine { prefill_tokens_per_second: Some(200.0), ..engine.clone() };
    assert_eq!(capacity(&reading), 1.0);
    assert_eq!(capacity(&Engine { slots: 1, ..reading }), 1.0 / 6.0);
    // Two requests of 300 tokens at once, 5 s each.
    assert_eq!(capacity(&Engine { memory_tokens: Some(600.0), ..engine }), 0.4);
}

#[test]
fn places_are_slots_at_full_speed() {
    let engine = Engine::new("engine", 8, 1.0);
    assert_eq!(engine.places(), 8);
    assert_eq!(Engine { full_speed: 3, ..engine.clone() }.places(), 3);
    assert_eq!(Engine { full_speed: 30, ..engine }.places(), 8);
}

#[test]
#[should_panic(expected = "at least one slot")]
fn an_engine_without_slots_is_refused() {
    let _ = Engine::new("none", 0, 1.0);
}

#[test]
#[should_panic(expected = "a speed is finite and more than 0")]
fn an_engine_without_speed_is_refused() {
    let _ = Engine::new("none", 1, 0.0);
}
