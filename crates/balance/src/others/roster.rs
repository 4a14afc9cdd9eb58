//! Who else is there, what each of them told last, and how long ago.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Seen, Told, View};
use crate::fleet::DeploymentIndex;
use crate::health::Answers;

/// The name of one run of an instance, which no other run has: a random number of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u128);

/// What the other instances told last.
///
/// No clock is compared with another one: what an instance told is as old as the time that passed here since its number
/// changed.
///
/// ```
/// use std::time::Duration;
/// use leastbusy_balance::{Answers, Fleet, InstanceId, Roster, Told};
///
/// let fleet = Fleet::new();
/// let deployment = fleet.deploy();
/// let now = Duration::from_secs(60);
///
/// let mut roster = Roster::new(InstanceId(1), Duration::from_secs(2));
/// let told = vec![Told { deployment, in_flight: 3, arrivals: 1.5, answers: Answers::default() }];
/// roster.heard(InstanceId(2), 1, Duration::from_millis(20), told, now);
/// fleet.see(roster.view(now), now);
/// assert_eq!(fleet.in_flight_total(deployment), 3);
///
/// // It says nothing more for two seconds: then its counts are nobody's.
/// let later = now + Duration::from_secs(2);
/// fleet.see(roster.view(later), later);
/// assert_eq!(fleet.in_flight_total(deployment), 0);
/// ```
#[derive(Debug)]
pub struct Roster {
    own: InstanceId,
    lease: Duration,
    instances: BTreeMap<InstanceId, Entry>,
    /// The last number of each that is gone, and when it told last: what it told before may still be about.
    fences: BTreeMap<InstanceId, (u64, Duration)>,
    /// How many there were in the last view that had any, and how many of them come before this one; none once they
    /// have left.
    last: (u32, u32),
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// When `number` changed.
    changed: Duration,
    /// Time between two of its tellings.
    interval: Duration,
    told: Arc<[Told]>,
}

/// What is known of another instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub id: InstanceId,
    /// Time since it told something new.
    pub age: Duration,
    /// Requests that it had in flight then.
    pub in_flight: u64,
}

/// A telling that comes this long after its instance's lease is taken for news: names of all who ever were would
/// only grow.
const FENCED: Duration = Duration::from_secs(3600);

impl Roster {
    /// The longest lease where nobody says: whatever a dead instance had in flight counts that long.
    pub const LEASE_MAX: Duration = Duration::from_secs(60);
    /// The shortest: it outlasts a pause of the process of this length, whatever the interval is.
    const LEASE_MIN: Duration = Duration::from_secs(2);

    /// Time between two tellings where nobody says, among so many instances: 20 ms up to 8 instances, 50 ms above.
    #[must_use]
    pub fn usual_interval(instances: usize) -> Duration {
        Duration::from_millis(if instances <= 8 { 20 } else { 50 })
    }

    /// How long a telling counts where nobody says: ten intervals, at least 2 s and at most 60 s.
    #[must_use]
    pub fn usual_lease(interval: Duration) -> Duration {
        interval.saturating_mul(10).clamp(Self::LEASE_MIN, Self::LEASE_MAX)
    }

    /// Nobody yet. `own` is this instance; what another one told counts for a `lease` after it was heard, which is at least
    /// a few intervals, so that one late telling does not take an instance away.
    #[must_use]
    pub fn new(own: InstanceId, lease: Duration) -> Self {
        Self { own, lease, instances: BTreeMap::new(), fences: BTreeMap::new(), last: (0, 0) }
    }

    /// Whether what an instance told under this number is news. Numbers rise with each telling of a run: a lower one
    /// comes from before, such as from a replica that lagged behind, even if the instance has gone since.
    #[must_use]
    pub fn is_news(&self, id: InstanceId, number: u64) -> bool {
        let known = self.instances.get(&id).map(|entry| entry.number);
        let known = known.or_else(|| self.fences.get(&id).map(|(number, _)| *number));
        id != self.own && known.is_none_or(|known| known < number)
    }

    /// Notes what an instance told under this number; without news nothing changes. `interval` is the time between two of
    /// its tellings.
    pub fn heard(
        &mut self,
        id: InstanceId,
        number: u64,
        interval: Duration,
        told: impl Into<Arc<[Told]>>,
        now: Duration,
    ) {
        if self.is_news(id, number) {
            self.fences.remove(&id);
            self.instances.insert(id, Entry { number, changed: now, interval, told: told.into() });
        }
    }

    /// Forgets what an instance told that has left, or whose lease has run out elsewhere. A later telling brings it back.
    pub fn gone(&mut self, id: InstanceId) {
        self.forget(id);
        if self.instances.is_empty() {
            self.last = (0, 0);
        }
    }

    fn forget(&mut self, id: InstanceId) {
        if let Some(Entry { number, changed, .. }) = self.instances.remove(&id) {
            self.fences.insert(id, (number, changed));
        }
    }

    /// The names of the other instances, in their order.
    pub fn ids(&self) -> impl Iterator<Item = InstanceId> {
        self.instances.keys().copied()
    }

    /// The other instances, in the order of their names.
    pub fn known(&self, now: Duration) -> impl Iterator<Item = Known> {
        self.instances.iter().map(move |(id, entry)| Known {
            id: *id,
            age: now.saturating_sub(entry.changed),
            in_flight: entry.told.iter().map(|told| u64::from(told.in_flight)).sum(),
        })
    }

    /// What the others' tellings add up to now. Whoever has told nothing new for a lease is forgotten.
    pub fn view(&mut self, now: Duration) -> View {
        let ran_out = |entry: &Entry| self.lease <= now.saturating_sub(entry.changed);
        let gone: Vec<_> =
            self.instances.iter().filter(|(_, entry)| ran_out(entry)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.forget(id));
        self.fences.retain(|_, (_, last)| now.saturating_sub(*last) < self.lease + FENCED);
        let mut ages = 0.0;
        let mut sums: BTreeMap<DeploymentIndex, Sum> = BTreeMap::new();
        for entry in self.instances.values() {
            // A telling comes at any moment of an interval: half of one has passed on average when it is heard.
            let age = (now.saturating_sub(entry.changed) + entry.interval / 2).as_secs_f64();
            ages += age;
            for told in entry.told.iter() {
                sums.entry(told.deployment).or_default().add(told, age);
            }
        }
        let count = |instances: usize| u32::try_from(instances).unwrap_or(u32::MAX);
        let others = count(self.instances.len());
        let rank = count(self.instances.range(..self.own).count());
        if 0 < others {
            self.last = (others, rank);
        }
        View {
            at: now,
            age: Duration::from_secs_f64(ages / f64::from(others.max(1))),
            others,
            rank,
            unheard: false,
            deployments: sums.into_iter().map(|(deployment, sum)| sum.seen(deployment)).collect(),
        }
    }

    /// As [`view`](Self::view), while nobody can be heard: once all leases have run out, what is left to go by is that those
    /// who have not left are at work, most likely, for as long as the silence lasts.
    pub fn view_or_unheard(&mut self, now: Duration) -> View {
        let view = self.view(now);
        match self.last {
            (others, rank) if view.others == 0 && 0 < others => {
                View { at: now, others, rank, unheard: true, ..View::default() }
            }
            _ => view,
        }
    }
}

#[derive(Default)]
struct Sum {
    in_flight: u32,
    /// Of each request in flight, added up.
    ages: f64,
    arrivals: f64,
    answers: Answers,
}

impl Sum {
    fn add(&mut self, told: &Told, age: f64) {
        self.in_flight = self.in_flight.saturating_add(told.in_flight);
        self.ages += f64::from(told.in_flight) * age;
        self.arrivals += told.arrivals.max(0.0);
        self.answers.add(&told.answers);
    }

    fn seen(self, deployment: DeploymentIndex) -> Seen {
        let age = Duration::from_secs_f64(self.ages / f64::from(self.in_flight.max(1)));
        Seen { deployment, in_flight: self.in_flight, age, arrivals: self.arrivals, answers: self.answers }
    }
}

#[cfg(test)]
mod tests;
