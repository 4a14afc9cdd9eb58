use std::time::Duration;

use super::Machine;
use crate::clock::Moment;
use crate::slab::{Key, Slab};
use crate::{Engine, Episode, Job, Trouble, WarmUp};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn job(prompt_tokens: f64, output_tokens: f64) -> Job {
    Job { arrival: Duration::ZERO, prompt_tokens, output_tokens }
}

/// Puts these in line, and tells their keys.
fn line(machine: &mut Machine<'_>, jobs: &[Job]) -> Vec<Key> {
    let mut slab = Slab::new();
    jobs.iter()
        .map(|job| {
            let key = slab.add(());
            machine.wait(key, *job);
            key
        })
        .collect()
}

#[test]
fn slots_go_to_the_first_who_came() {
    let engine = Engine::new("two slots", 2, 1.0);
    let mut machine = Machine::new(&engine);
    let jobs = [job(0.0, 1.0); 3];
    let keys = line(&mut machine, &jobs);
    let now = Moment::at(5.0);
    assert_eq!(machine.start_next(now), Some((keys[0], now)));
    assert_eq!(machine.start_next(now), Some((keys[1], now)));
    assert_eq!((machine.start_next(now), machine.held()), (None, 3));
    machine.give_back(&jobs[0]);
    assert_eq!((machine.start_next(now), machine.held()), (Some((keys[2], now)), 2));
}

#[test]
fn prompts_are_read_one_after_the_other_and_the_first_token_comes_after_its_time() {
    let engine = Engine {
        prefill_tokens_per_second: Some(100.0),
        first_token_time: secs(1),
        ..Engine::new("pipe", 8, 1.0)
    };
    let mut machine = Machine::new(&engine);
    line(&mut machine, &[job(200.0, 1.0), job(300.0, 1.0), job(100.0, 1.0)]);
    let starts = |machine: &mut Machine<'_>, now| machine.start_next(now).map(|(_, first)| first);
    assert_eq!(starts(&mut machine, Moment::START), Some(Moment::at(3.0)));
    assert_eq!(starts(&mut machine, Moment::START), Some(Moment::at(6.0)));
    assert!((machine.prefill_backlog(Moment::at(1.0)) - 4.0).abs() < 1e-8);
    // The pipe has been idle since 5 s.
    assert_eq!(starts(&mut machine, Moment::at(10.0)), Some(Moment::at(12.0)));
}

#[test]
fn who_does_not_fit_into_the_memory_holds_up_the_smaller_ones_behind() {
    let engine = Engine { memory_tokens: Some(10.0), ..Engine::new("small", 8, 1.0) };
    let mut machine = Machine::new(&engine);
    let jobs = [job(4.0, 2.0), job(3.0, 2.0), job(1.0, 1.0)];
    let keys = line(&mut machine, &jobs);
    let now = Moment::START;
    assert_eq!(machine.start_next(now), Some((keys[0], now)));
    assert_eq!(machine.start_next(now), None);
    // With the second gone from the line, the third has room.
    machine.stop_waiting(keys[1]);
    assert_eq!(machine.start_next(now), Some((keys[2], now)));
    assert_eq!(machine.held(), 2);
}

#[test]
fn memory_is_filled_to_the_last_token() {
    let engine = Engine { memory_tokens: Some(10.0), ..Engine::new("small", 8, 1.0) };
    let mut machine = Machine::new(&engine);
    line(&mut machine, &[job(3.0, 3.0), job(2.0, 2.0), job(0.0, 1.0)]);
    let started = std::iter::from_fn(|| machine.start_next(Moment::START)).count();
    assert_eq!(started, 2);
}

#[test]
fn a_request_larger_than_the_memory_is_served_alone() {
    let engine = Engine { memory_tokens: Some(10.0), ..Engine::new("small", 8, 1.0) };
    let mut machine = Machine::new(&engine);
    let jobs = [job(1.0, 1.0), job(30.0, 2.0), job(1.0, 1.0)];
    let keys = line(&mut machine, &jobs);
    let now = Moment::START;
    assert_eq!(machine.start_next(now), Some((keys[0], now)));
    assert_eq!(machine.start_next(now), None);
    machine.give_back(&jobs[0]);
    assert_eq!((machine.start_next(now), machine.start_next(now)), (Some((keys[1], now)), None));
    machine.give_back(&jobs[1]);
    assert_eq!(machine.start_next(now), Some((keys[2], now)));
}

#[test]
fn it_is_free_as_long_as_a_request_would_not_wait_and_shares_its_speed_meanwhile() {
    let engine = Engine { full_speed: 1, memory_tokens: Some(10.0), ..Engine::new("slow", 2, 1.0) };
    let mut machine = Machine::new(&engine);
    let small = job(1.0, 1.0);
    assert!(machine.is_free_for(&small) && machine.is_free_for(&job(99.0, 1.0)));
    line(&mut machine, &[small]);
    assert!(!machine.is_free_for(&small));
    machine.start_next(Moment::START);
    assert!(machine.is_free_for(&small) && !machine.is_free_for(&job(99.0, 1.0)));
    assert_eq!(machine.share_of_one_more(), 0.5);
    line(&mut machine, &[small]);
    machine.start_next(Moment::START);
    assert!(!machine.is_free_for(&small));
}

#[test]
fn a_restart_forgets_everything_but_who_the_gateway_still_counts() {
    let engine = Engine {
        memory_tokens: Some(10.0),
        prefill_tokens_per_second: Some(1.0),
        ..Engine::new("gone", 1, 1.0)
    };
    let mut machine = Machine::new(&engine);
    machine.open = 2;
    let jobs = [job(5.0, 5.0); 2];
    let keys = line(&mut machine, &jobs);
    machine.start_next(Moment::START);
    machine.decode.begin(5.0, 5.0, 1, keys[0]);
    let (_, announced) = machine.next_end().expect("an answer is written");
    machine.restart();
    assert_eq!((machine.open, machine.held(), machine.next_end()), (2, 0, None));
    assert!(!machine.has_come(announced), "the answer is lost, and its end with it");
    assert!(machine.prefill_backlog(Moment::at(1.0)) == 0.0 && machine.is_free_for(&jobs[0]));
}

#[test]
fn an_end_is_announced_when_it_changes_and_only_the_last_one_comes() {
    let engine = Engine { full_speed: 1, ..Engine::new("shared", 8, 1.0) };
    let mut machine = Machine::new(&engine);
    let keys = line(&mut machine, &[job(0.0, 2.0); 2]);
    machine.decode.begin(0.0, 2.0, 1, keys[0]);
    let (end, first) = machine.next_end().expect("one is written");
    assert_eq!((end, machine.next_end()), (Moment::at(2.0), None));
    machine.decode.begin(1.0, 2.0, 2, keys[1]);
    let (end, second) = machine.next_end().expect("it is later now");
    assert_eq!(end, Moment::at(3.0));
    assert!(!machine.has_come(first) && machine.has_come(second));
    // Once it has come, the next is announced though it may be at the same moment.
    assert_eq!(machine.next_end().map(|(end, _)| end), Some(Moment::at(3.0)));
}

#[test]
fn of_two_episodes_the_first_in_the_list_holds() {
    let slow = |speed, from, until| Episode {
        from: secs(from),
        until: secs(until),
        trouble: Trouble::Slow { speed },
    };
    let engine = Engine { episodes: vec![slow(0.5, 2, 4), slow(0.25, 1, 6)], ..Engine::new("slow", 1, 1.0) };
    let speeds = [0, 1, 2, 3, 4, 5, 6].map(|second| engine.speed_at(secs(second).into()));
    assert_eq!(speeds, [1.0, 0.25, 0.5, 0.5, 0.25, 0.25, 1.0]);
    assert_eq!(engine.turns(), [1, 2, 4, 6].map(|second| secs(second).into()));
}

#[test]
fn a_warm_engine_gets_faster_steadily_until_it_is_at_full_speed() {
    let down = Episode { from: secs(10), until: secs(20), trouble: Trouble::Down };
    let warm_up = Some(WarmUp { speed: 0.25, time: secs(20) });
    let engine = Engine { episodes: vec![down.clone()], warm_up, ..Engine::new("cold", 1, 1.0) };
    let speeds = [5, 20, 30, 40, 50].map(|second| engine.speed_at(secs(second).into()));
    assert_eq!(speeds, [1.0, 0.25, 0.625, 1.0, 1.0]);
    let turns = engine.turns();
    assert_eq!((turns.len(), turns.last()), (52, Some(&secs(40).into())));
    // At once where it takes no time.
    let at_once = Engine { warm_up: Some(WarmUp { speed: 0.25, time: Duration::ZERO }), ..engine };
    assert_eq!(at_once.speed_at(secs(20).into()).to_bits(), 1.0_f64.to_bits());
}
