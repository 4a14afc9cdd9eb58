//! What the exchange with other instances does under the lock that every pick takes, by deployments of the fleet.
//!
//! `cargo bench -p leastbusy-balance --bench exchange` prints a Markdown table of microseconds a call, the best of 500: each
//! deployment has a request in flight, and others told of failures and of a ramp of it.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "its table is its product")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use leastbusy_balance::{
    Answers, Counter, ErrorClass, Fleet, Member, Pick, RampCounts, Seen, TieBreak, View, Weight,
};

const SIZES: [usize; 3] = [16, 100, 1000];

/// What others told of all deployments: each has answered, and failed lately.
fn view(size: usize, fleet: &Fleet) -> View {
    let at = Duration::from_secs(1);
    let told = fleet.tell(at);
    assert_eq!(told.len(), size, "there is something to tell of each");
    let answers = Answers {
        well: 70,
        all: 71,
        failures: vec![(Counter::Class(ErrorClass::Timeout), 1)],
        ramps: vec![(7, RampCounts::default())],
    };
    let seen = told.into_iter().map(|told| Seen {
        deployment: told.deployment,
        in_flight: 7,
        age: Duration::from_millis(20),
        arrivals: 7.0,
        answers: answers.clone(),
    });
    View { at, others: 15, rank: 4, deployments: seen.collect(), ..View::default() }
}

/// Microseconds of the shortest of many calls, each of which gets something that was made before.
fn shortest<T>(mut make: impl FnMut() -> T, mut call: impl FnMut(T)) -> f64 {
    let mut time = || {
        let made = make();
        let begin = Instant::now();
        call(black_box(made));
        begin.elapsed()
    };
    (0..500).map(|_| time()).min().expect("some calls").as_nanos() as f64 / 1e3
}

fn main() {
    println!("| deployments | tell | see | news | guard_probes |");
    println!("|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let fleet = Fleet::new();
        let members = (0..size).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
        let group = fleet.group(members, TieBreak::Random);
        let pick = |dice| group.pick(&Pick { dice, ..Pick::default() }).expect("none was tried");
        let _held: Vec<_> = (0..size as u64).map(pick).collect();
        let view = view(size, &fleet);
        let now = view.at;
        let tell = shortest(|| (), |()| drop(black_box(fleet.tell(now))));
        let see = shortest(|| view.clone(), |view| fleet.see(view, now));
        let news = shortest(|| (), |()| drop(black_box(fleet.news())));
        let guard = shortest(|| (), |()| fleet.guard_probes(true));
        println!("| {size} | {tell:.2} µs | {see:.2} µs | {news:.2} µs | {guard:.2} µs |");
    }
}
