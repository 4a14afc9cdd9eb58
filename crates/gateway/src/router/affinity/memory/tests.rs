use leastbusy_balance::Fleet;

use super::*;

const TTL: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::from_secs(1000);

/// Keys that are as far from each other as hashes are.
fn keys(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn deployments() -> [DeploymentIndex; 2] {
    let fleet = Fleet::new();
    [fleet.deploy(), fleet.deploy()]
}

fn entries(memory: &Memory) -> usize {
    memory
        .shards
        .iter()
        .map(|shard| shard.lock().unwrap())
        .map(|shard| shard.young.len() + shard.old.len())
        .sum()
}

#[test]
fn who_served_last_is_remembered() {
    let ([a, b], memory) = (deployments(), Memory::new(TTL));
    assert_eq!(memory.recall(7, NOW), None);
    memory.learn(7, a, NOW);
    assert_eq!((memory.recall(7, NOW), memory.recall(8, NOW)), (Some(a), None));
    memory.learn(7, b, NOW);
    assert_eq!(memory.recall(7, NOW), Some(b));
    assert_eq!(entries(&memory), 1);
}

#[test]
fn it_is_forgotten_when_it_was_not_learned_again_in_time() {
    let ([a, _], memory) = (deployments(), Memory::new(TTL));
    memory.learn(7, a, NOW);
    assert_eq!(memory.recall(7, NOW + TTL), Some(a));
    assert_eq!(memory.recall(7, NOW + TTL + Duration::from_secs(1)), None);
    memory.learn(7, a, NOW + TTL);
    assert_eq!(memory.recall(7, NOW + 2 * TTL), Some(a));
}

#[test]
fn it_is_bounded_and_the_oldest_go_first() {
    let ([a, _], memory) = (deployments(), Memory::new(TTL));
    let all: Vec<_> = keys(3 * ENTRIES_MAX as u64).collect();
    for key in &all {
        memory.learn(*key, a, NOW);
    }
    assert!(entries(&memory) <= ENTRIES_MAX, "{}", entries(&memory));
    let is_known = |key: &&u64| memory.recall(**key, NOW).is_some();
    // Shards do not fill evenly, so the very last of a half may go with it.
    let latest = &all[all.len() - ENTRIES_MAX * 48 / 100..];
    assert_eq!(latest.iter().filter(is_known).count(), latest.len());
    assert_eq!(all[..ENTRIES_MAX].iter().filter(is_known).count(), 0);
}

#[test]
fn what_is_learned_again_and_again_stays() {
    let ([a, b], memory) = (deployments(), Memory::new(TTL));
    for (count, key) in keys(2 * ENTRIES_MAX as u64).enumerate() {
        memory.learn(key, a, NOW);
        if count % 1000 == 0 {
            memory.learn(7, b, NOW);
        }
    }
    assert_eq!(memory.recall(7, NOW), Some(b));
}

#[test]
fn a_clock_that_is_behind_forgets_nothing() {
    let ([a, _], memory) = (deployments(), Memory::new(TTL));
    memory.learn(7, a, NOW);
    assert_eq!(memory.recall(7, NOW - Duration::from_secs(500)), Some(a));
}
