//! Which deployment served last what has this key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leastbusy_balance::DeploymentIndex;

/// Keys that are remembered at most. At 17 bytes each in tables that are half empty at worst, this is 2.3 MB.
const ENTRIES_MAX: usize = 100_000;

/// Parts with a lock of their own, so that workers rarely wait for each other.
const SHARDS: usize = 16;

/// A bounded memory that all workers share. A key is a hash, so one is as likely as any other.
///
/// Entries are held in two halves: what is learned goes to the young one, and when that is full it becomes the old
/// one, whose entries are forgotten. So whatever is among the last 50,000 keys that were learned is there, and
/// learning costs no search for the oldest.
#[derive(Debug)]
pub(super) struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    ttl: u32,
    half: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: Entries,
    old: Entries,
}

type Entries = HashMap<u64, Entry, BuildHasherDefault<AsItIs>>;

#[derive(Debug, Clone, Copy)]
struct Entry {
    deployment: DeploymentIndex,
    /// In seconds, which is enough for a `ttl` in seconds and takes half the room of finer ones.
    learned: u32,
}

impl Memory {
    /// An empty memory, which forgets what was not learned again for so long.
    pub(super) fn new(ttl: Duration) -> Self {
        Self::with_room(ENTRIES_MAX, ttl)
    }

    fn with_room(entries: usize, ttl: Duration) -> Self {
        let half = (entries / 2 / SHARDS).max(1);
        Self { shards: Default::default(), ttl: seconds(ttl), half }
    }

    /// Who served last what has this key.
    pub(super) fn recall(&self, key: u64, now: Duration) -> Option<DeploymentIndex> {
        let shard = self.shard(key);
        let entry = shard.young.get(&key).or_else(|| shard.old.get(&key))?;
        (seconds(now).saturating_sub(entry.learned) <= self.ttl).then_some(entry.deployment)
    }

    /// Notes who has served it now.
    pub(super) fn learn(&self, key: u64, deployment: DeploymentIndex, now: Duration) {
        let entry = Entry { deployment, learned: seconds(now) };
        let mut shard = self.shard(key);
        if shard.young.len() == self.half && !shard.young.contains_key(&key) {
            let mut old = mem::take(&mut shard.old);
            old.clear();
            shard.old = mem::replace(&mut shard.young, old);
        }
        shard.young.insert(key, entry);
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        // A table goes by the lowest and the highest bits.
        let shard = (key >> 32) as usize % SHARDS;
        // An entry is whole or not there, whoever panicked.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }
}

#[cfg(test)]
mod tests;
