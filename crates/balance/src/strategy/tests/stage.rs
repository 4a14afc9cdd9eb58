//! A group whose deployments answer as a test says.

use std::sync::Arc;
use std::time::Duration;

use crate::strategy::{Strategy, Terms};
use crate::{Ending, Fleet, Group, GroupRules, Lease, Member, Outcome, Pick, TieBreak, Weight};

pub(super) struct Stage {
    pub(super) fleet: Arc<Fleet>,
    pub(super) group: Group,
    pub(super) now: Duration,
    rolls: u64,
}

pub(super) fn weighing(weight: f64) -> (f64, Terms) {
    (weight, Terms::default())
}

pub(super) fn on_terms(terms: Terms) -> (f64, Terms) {
    (1.0, terms)
}

impl Stage {
    pub(super) fn new(strategy: Strategy, members: &[(f64, Terms)]) -> Self {
        Self::breaking_ties(strategy, TieBreak::Random, members)
    }

    pub(super) fn breaking_ties(strategy: Strategy, tie_break: TieBreak, members: &[(f64, Terms)]) -> Self {
        let fleet = Fleet::new();
        let members = members.iter().map(|(weight, terms)| Member {
            terms: Arc::new(*terms),
            ..Member::new(fleet.deploy(), Weight::new(*weight).unwrap())
        });
        let members = members.collect();
        let group = fleet.group(members, GroupRules { strategy, tie_break, ..GroupRules::default() });
        Self { fleet, group, now: Duration::from_secs(100), rolls: 0 }
    }

    /// Of so many members alike.
    pub(super) fn of_equals(strategy: Strategy, members: usize) -> Self {
        Self::new(strategy, &vec![weighing(1.0); members])
    }

    pub(super) fn pick_with(&mut self, pick: Pick<'_>) -> Lease {
        self.rolls += 1;
        // Anything that differs from pick to pick: every strategy mixes it for itself.
        let dice = self.rolls;
        self.group.pick(&Pick { dice, now: self.now, ..pick }).expect("there is a candidate")
    }

    pub(super) fn pick(&mut self) -> Lease {
        self.pick_with(Pick::default())
    }

    pub(super) fn pick_stream(&mut self) -> Lease {
        self.pick_with(Pick { stream: true, ..Pick::default() })
    }

    /// A lease on this member, whatever the strategy.
    pub(super) fn hold(&mut self, member: usize) -> Lease {
        self.hold_with(member, false)
    }

    fn hold_with(&mut self, member: usize, stream: bool) -> Lease {
        let others = self.group.members().iter().enumerate().filter(|(other, _)| *other != member);
        let others: Vec<_> = others.map(|(_, other)| other.deployment).collect();
        self.pick_with(Pick { tried: &others, stream, ..Pick::default() })
    }

    /// A member gives a whole answer of so many tokens after this time.
    pub(super) fn answers(&mut self, member: usize, millis: u64, output_tokens: u32) {
        let lease = self.hold(member);
        let tokens = output_tokens;
        let ending = Ending { tokens, output_tokens, ..Outcome::Success.into() };
        lease.end(ending, self.now + Duration::from_millis(millis));
    }

    /// A member begins a stream after this time, and ends it a second later.
    pub(super) fn streams(&mut self, member: usize, millis: u64) {
        let mut lease = self.hold_with(member, true);
        let began = self.now + Duration::from_millis(millis);
        lease.answered(began);
        lease.end(Outcome::Success, began + Duration::from_secs(1));
    }

    pub(super) fn fails(&mut self, member: usize, millis: u64, outcome: Outcome) {
        let lease = self.hold(member);
        lease.end(outcome, self.now + Duration::from_millis(millis));
    }

    /// Which members get requests that end at once, in the order of the members.
    pub(super) fn shares(&mut self, picks: usize) -> Vec<f64> {
        let mut counts = vec![0.0; self.group.members().len()];
        for _ in 0..picks {
            // Dropped, so that it says nothing.
            counts[self.pick().member()] += 1.0;
        }
        counts
    }

    /// Which members have a share of the next requests.
    pub(super) fn goes_to(&mut self) -> Vec<usize> {
        let shares = self.shares(200);
        (0..shares.len()).filter(|member| 0.0 < shares[*member]).collect()
    }
}

/// How far counts are from these shares. With so many degrees of freedom as shares less one, it is beyond 15.1 (1), 18.4
/// (2) or 21.1 (3) once in ten thousand.
pub(super) fn chi_square(counts: &[f64], shares: &[f64]) -> f64 {
    let (total, whole): (f64, f64) = (counts.iter().sum(), shares.iter().sum());
    let expected = shares.iter().map(|share| share / whole * total);
    counts.iter().zip(expected).map(|(count, expected)| (count - expected).powi(2) / expected).sum()
}
