//! The gateway of a run: the production group, and what the ways of choosing that are no strategies of it remember.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Candidate, Capacity, Fleet, Group, GroupRules, Lease, LowestLatency, Member, PeakEwma, Pick, Queued,
    Refusal, Strategy, Wait,
};

use crate::clock::Moment;
use crate::{Dice, Engine, Policy, Rules};

mod exchange;

pub(crate) use exchange::Board;
use exchange::Exchange;

/// One instance of the gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    fleet: Arc<Fleet>,
    group: Group,
    dice: Dice,
    choice: Choice,
    most_waiting: u32,
    /// Where it has others to tell of its counts.
    exchange: Option<Exchange>,
}

/// What a way of choosing remembers.
#[derive(Debug)]
enum Choice {
    StaleFirst(Stale),
    OwnAndTold,
    /// As the group's strategy has it.
    Production,
}

impl Gateway {
    /// The instance at `place`, which tells the others this often.
    pub(crate) fn sharing(self, place: usize, interval: Duration) -> Self {
        let fleet = Arc::clone(&self.fleet);
        let exchange = Exchange::new(place, fleet, self.group.members().len(), interval);
        Self { exchange: Some(exchange), ..self }
    }

    /// An instance alone.
    pub(crate) fn new(engines: &[Engine], rules: &Rules, policy: Policy, seed: u64) -> Self {
        let fleet = Fleet::new();
        let health = Arc::new(rules.health.clone());
        let members = engines.iter().map(|engine| Member {
            order: engine.order,
            rules: Arc::clone(&health),
            capacity: match policy {
                Policy::LeastBusyBySpeed => Capacity::new(engine.places(), engine.tokens_per_second),
                _ => None,
            },
            limit: engine.limit.filter(|_| has_limits(policy)),
            ..Member::new(fleet.deploy(), engine.weight)
        });
        let members: Vec<_> = members.collect();
        let group = fleet.group(members, GroupRules { strategy: strategy(policy), ..rules.group });
        Self {
            most_waiting: rules.queue.most.unwrap_or_else(|| group.usual_queue()),
            group,
            dice: Dice::new(seed),
            choice: match policy {
                Policy::StaleFirst { age } => Choice::StaleFirst(Stale::new(engines.len(), age)),
                Policy::OwnAndTold => Choice::OwnAndTold,
                _ => Choice::Production,
            },
            exchange: None,
            fleet,
        }
    }

    /// Tells the others and hears them, if the board is there.
    pub(crate) fn exchange(&mut self, now: Moment, board: Option<&mut Board>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.run(board, self.group.members(), now.since_start());
        }
    }

    pub(crate) fn pick(&mut self, now: Moment, pick: Pick<'_>) -> Result<Lease, Refusal> {
        let pick = Pick { dice: self.dice.roll(), now: now.since_start(), ..pick };
        let dice = &mut self.dice;
        let lease = match &mut self.choice {
            Choice::Production => self.group.pick(&pick),
            Choice::OwnAndTold => {
                let others = self.exchange.as_ref().map_or(&[][..], |exchange| &exchange.others);
                self.group.pick_by(&pick, |candidates| fewest(candidates, others, dice))
            }
            Choice::StaleFirst(stale) => {
                self.group.pick_by(&pick, |candidates| stale.first(candidates, now, dice))
            }
        }?;
        self.note(now, lease.member(), 1);
        Ok(lease)
    }

    /// A lease, or a place in the queue where none can be had.
    pub(crate) fn pick_or_queue(
        &mut self,
        now: Moment,
        pick: Pick<'_>,
        wait: Wait,
    ) -> Result<Queued, Refusal> {
        let pick = Pick { dice: self.dice.roll(), now: now.since_start(), ..pick };
        self.group.pick_or_queue(&pick, wait)
    }

    /// The most requests that may wait.
    pub(crate) fn most_waiting(&self) -> u32 {
        self.most_waiting
    }

    /// A lease of this member has ended.
    pub(crate) fn ended(&mut self, now: Moment, member: usize) {
        self.note(now, member, -1);
    }

    pub(crate) fn may_retry(&self, now: Moment) -> bool {
        self.group.may_retry(now.since_start())
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.dice.roll()
    }

    fn note(&mut self, now: Moment, member: usize, change: i64) {
        if let Choice::StaleFirst(stale) = &mut self.choice {
            stale.unseen.push_back((now.after(stale.age), member, change));
        }
    }
}

/// Whether a way of choosing goes by limits. Those that are modelled on others push everything on to the deployments.
fn has_limits(policy: Policy) -> bool {
    !matches!(policy, Policy::StaleFirst { .. } | Policy::OwnAndTold)
}

/// The production strategy; least busy for those that have none.
fn strategy(policy: Policy) -> Strategy {
    match policy {
        Policy::Random => Strategy::Shuffle,
        Policy::RoundRobin => Strategy::RoundRobin,
        Policy::TwoChoices => Strategy::TwoChoices,
        Policy::LowestLatency => Strategy::LowestLatency(LowestLatency::default()),
        Policy::LowestUsage => Strategy::LowestUsage,
        Policy::PeakEwma => Strategy::PeakEwma(PeakEwma::default()),
        Policy::StaleFirst { .. }
        | Policy::OwnAndTold
        | Policy::LeastBusy
        | Policy::LeastBusyBySpeed
        | Policy::CentralQueue => Strategy::LeastBusy,
    }
}

/// The least busy by own counts and what the others told last, whatever its age.
fn fewest(candidates: &[Candidate], others: &[u32], dice: &mut Dice) -> usize {
    let load = |candidate: &Candidate| {
        let others = others.get(candidate.member).map_or(0.0, |others| f64::from(*others));
        (f64::from(candidate.in_flight) + others + 1.0) / candidate.weight
    };
    let least = candidates.iter().map(load).fold(f64::INFINITY, f64::min);
    let ties: Vec<usize> = (0..candidates.len()).filter(|place| load(&candidates[*place]) <= least).collect();
    ties[below(ties.len(), dice)]
}

fn below(bound: usize, dice: &mut Dice) -> usize {
    (dice.uniform() * bound as f64) as usize
}

/// Counts as they were a little while ago.
#[derive(Debug)]
struct Stale {
    age: Duration,
    counts: Vec<i64>,
    /// Changes that are not seen yet, with the moment at which they are.
    unseen: VecDeque<(Moment, usize, i64)>,
}

impl Stale {
    fn new(members: usize, age: Duration) -> Self {
        Self { age, counts: vec![0; members], unseen: VecDeque::new() }
    }

    fn first(&mut self, candidates: &[Candidate], now: Moment, dice: &mut Dice) -> usize {
        while let Some(&(seen, member, change)) = self.unseen.front()
            && seen <= now
        {
            self.unseen.pop_front();
            self.counts[member] += change;
        }
        let least = (0..self.counts.len()).min_by_key(|member| self.counts[*member]);
        candidates
            .iter()
            .position(|candidate| Some(candidate.member) == least)
            .unwrap_or_else(|| below(candidates.len(), dice))
    }
}

#[cfg(test)]
mod tests;
