//! What deployments were asked for in the last minute: told and heard once a second, also of instances that are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use leastbusy_balance::{Fleet, InstanceId, ToldUsage, UsedSecond};
use redis::Value;
use serde::{Deserialize, Serialize};

use super::blob::Names;
use super::keys::Keys;
use super::name::{self, DeploymentName};
use super::store::{Batch, Script, Store, StoreError, reply};
use super::wire;

/// How often usage is told.
const EVERY: Duration = Duration::from_secs(1);

/// A turn that fails again and again is tried each 2 to the power of so many seconds, twice in the life of a telling.
const BACKOFF_MAX: u32 = 5;

/// How long a telling is kept: until all its seconds are a minute old, and one second more, since the last of them may
/// have just begun.
const KEPT: Duration = Duration::from_secs(61);

/// Seconds older than this are told in steps, which saves two thirds of a telling.
const EACH_SECOND: u32 = 10;
/// A step of so many seconds counts until its youngest second is a minute old.
const STEP: u32 = 5;

/// The seconds that a telling may have of a deployment. Another instance's that has more is not believed.
const SECONDS_MAX: usize = 60;

/// The exchange of usage.
#[derive(Debug)]
pub(super) struct UsageExchange {
    me: InstanceId,
    names: Names,
    script: Script,
    kept: Duration,
    /// When it is due again.
    due: Duration,
    /// The others whose tellings are read: those who were there last time.
    read: Vec<InstanceId>,
    /// Whether a telling may still be there that was never read.
    is_new: bool,
    /// Turns in a row that failed.
    pub(super) failures: u32,
}

/// An instance's telling as it stands in Redis.
#[derive(Debug, Deserialize)]
struct Telling {
    /// When its running second began, in milliseconds of the server's time.
    at: f64,
    /// Seconds before that one, requests, tokens.
    #[serde(rename = "d")]
    rows: BTreeMap<DeploymentName, Vec<Row>>,
}

/// Seconds before the running one, requests, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Row(u32, u32, u32);

impl UsageExchange {
    pub(super) fn new(me: InstanceId, names: Names) -> Self {
        let script = Script::new(include_str!("lua/usage.lua"));
        Self {
            me,
            names,
            script,
            kept: KEPT,
            due: Duration::ZERO,
            read: Vec::new(),
            is_new: true,
            failures: 0,
        }
    }

    /// Tells and hears usage, if it is time and there is anything to tell or anybody to hear. `now` is the fleet's time.
    ///
    /// # Errors
    ///
    /// As [`Store::run`]; what was heard before counts on. Each failure in a row doubles the time to the next turn.
    pub(super) async fn turn(
        &mut self,
        store: &mut Store,
        (fleet, now): (&Fleet, impl Fn() -> Duration),
        keys: &Keys,
        is_alone: bool,
    ) -> Result<(), StoreError> {
        let began = now();
        if began < self.due {
            return Ok(());
        }
        self.due = began + EVERY;
        let told = self.told(fleet, began);
        if told.is_empty() && is_alone && !self.is_new {
            return Ok(());
        }
        let replies = store.run(&self.batch(keys, &told, began)).await;
        let taken_in = replies.and_then(|replies| self.take_in(replies, fleet, now()));
        match &taken_in {
            Ok(()) => self.failures = 0,
            Err(_) => {
                self.failures = self.failures.saturating_add(1);
                self.due = began + EVERY * (1 << self.failures.min(BACKOFF_MAX));
            }
        }
        taken_in
    }

    /// What is told once more before this instance goes, if anything: a provider counts on what it sent.
    pub(super) fn last_words(&self, (fleet, now): (&Fleet, Duration), keys: &Keys) -> Batch {
        let told = self.told(fleet, now);
        let mut batch = Batch::new();
        if !told.is_empty() {
            self.tell(&mut batch, keys, &told, now);
        }
        batch
    }

    fn told(&self, fleet: &Fleet, now: Duration) -> BTreeMap<DeploymentName, Vec<Row>> {
        let told = fleet.tell_usage(now).into_iter();
        told.filter_map(|ToldUsage { deployment, seconds }| {
            let rows = seconds.iter().map(|second| {
                let back = second.age.as_secs();
                Row(u32::try_from(back).unwrap_or(u32::MAX), second.requests, second.tokens)
            });
            Some((self.names.of(deployment)?, in_steps(rows)))
        })
        .collect()
    }

    fn tell(&self, batch: &mut Batch, keys: &Keys, told: &BTreeMap<DeploymentName, Vec<Row>>, now: Duration) {
        let written = match told.is_empty() {
            true => String::new(),
            false => serde_json::to_string(told).expect("lists of numbers under text keys are JSON"),
        };
        let arguments = [
            name::written(self.me),
            self.kept.as_millis().to_string(),
            written,
            // All ages have this much over whole seconds.
            now.subsec_millis().to_string(),
        ];
        batch.script(&self.script, &[keys.usages(), keys.usage(self.me)], &arguments);
    }

    fn batch(&self, keys: &Keys, told: &BTreeMap<DeploymentName, Vec<Row>>, now: Duration) -> Batch {
        let mut batch = Batch::new();
        self.tell(&mut batch, keys, told, now);
        if !self.read.is_empty() {
            let read = batch.command("MGET");
            for id in &self.read {
                read.arg(keys.usage(*id));
            }
        }
        batch
    }

    fn take_in(&mut self, replies: Vec<Value>, fleet: &Fleet, now: Duration) -> Result<(), StoreError> {
        let mut replies = reply::Replies::new(replies);
        let mut parts = reply::list(replies.next()?)?.into_iter();
        let mut part = || parts.next().ok_or(StoreError::Protocol("the server's time and the instances"));
        let server_ms = reply::server_ms(part()?)?;
        let there = wire::texts(reply::list(part()?)?)?;
        let others: Vec<_> =
            there.iter().filter_map(|id| name::read(id)).filter(|id| *id != self.me).collect();
        let mut told = Vec::new();
        if !self.read.is_empty() {
            for written in reply::list(replies.next()?)? {
                if let Some(written) = reply::bytes(written)? {
                    told.extend(heard(&written, server_ms, &self.names));
                }
            }
        }
        fleet.see_usage(told, now);
        // Those who are new are heard in the next turn, which comes at once.
        self.is_new = others.iter().any(|id| !self.read.contains(id));
        if self.is_new {
            self.due = now;
        }
        self.read = others;
        Ok(())
    }
}

/// The same requests and tokens in fewer rows.
fn in_steps(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut steps: BTreeMap<u32, Row> = BTreeMap::new();
    for Row(back, requests, tokens) in rows {
        let older = back.saturating_sub(EACH_SECOND);
        let step = steps.entry(back - older % STEP).or_insert(Row(back, 0, 0));
        *step = Row(step.0.min(back), step.1.saturating_add(requests), step.2.saturating_add(tokens));
    }
    steps.into_values().collect()
}

/// What an instance tells of the deployments that this fleet has, too; nothing where it cannot be read.
fn heard(written: &[u8], server_ms: f64, names: &Names) -> Vec<ToldUsage> {
    let Ok(Telling { at, rows }) = serde_json::from_slice(written) else { return Vec::new() };
    // A server whose clock was set back makes no second younger than now.
    let since = (server_ms - at).max(0.0);
    let age = |back: u32| {
        let seconds = f64::from(back) + since / 1000.0;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    };
    let second = |Row(back, requests, tokens): Row| UsedSecond { age: age(back), requests, tokens };
    rows.into_iter()
        .filter_map(|(name, rows)| {
            let seconds = rows.into_iter().take(SECONDS_MAX).map(second).collect();
            Some(ToldUsage { deployment: names.deployment(name)?, seconds })
        })
        .collect()
}

#[cfg(test)]
mod tests;
