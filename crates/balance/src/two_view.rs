//! The pick where other instances pick too: what is known of them decides who is eligible, own counts among those.
//!
//! # The problem
//!
//! What the others have in flight is known as it was a moment ago. Whoever goes by it alone sends everything to
//! the deployment that looked idle then, and so does every other instance: a herd. Whoever goes by own counts alone
//! never herds, but does not see a deployment that the others keep busy.
//!
//! # The rule
//!
//! Let `q` be what a deployment has in flight in all, as far as is known, and `w` its weight; let `A` be the requests
//! that come before the view is true again, this one and those of the others that it cannot show. Spread over the
//! deployments so that the sum of `(q + X - share)^2 / w` is expected to be smallest (SCD: Goren, Vargaftik and
//! Moses, PODC 2021), they go to each with the chance
//!
//! ```text
//! p = max(0, w * y - (2q + 1)) / (2 (A - 1)),   y such that the chances add up to 1
//! ```
//!
//! Those whose chance is at least three quarters of their share by weight are eligible. Among them, whoever has the
//! fewest own requests for its weight is chosen, by `(own + turn) / weight`; among equals, by `p`.
//!
//! A view without age has `A = 1`: the least busy are eligible, and the rule is least busy itself. A view that knows
//! nothing has a large `A`: all are eligible, and own counts decide.
//!
//! # Turns
//!
//! One instance of many has few requests of its own on a deployment, often none or one, and such counts cannot follow
//! weights: by `own / weight` it would fill every small deployment before a large one gets its second request, by
//! `(own + 1) / weight` the small ones would get none. And with equal weights it is left to chance which deployments
//! the instances fill first, so that they often are the same ones. So every deployment has its turn at every
//! instance, from 0 to 1, spread evenly over the instances: each rounds its fractions of a request in another place,
//! and together they come to the shares by weight.
//!
//! While there are fewer requests than deployments all turns are 0, so that chance shares idle deployments out
//! evenly.
//!
//! Simulated beside other rules (16 instances before 16 deployments at 90 % load, p99 wait in seconds, by the time
//! between exchanges):
//!
//! | | 20 ms | 100 ms | 1 s |
//! |---|---:|---:|---:|
//! | 8 slots each: this rule | 0.63 | 0.79 | 1.02 |
//! | without turns | 0.63 | 0.80 | 1.28 |
//! | by the chances `p` alone | 0.65 | 0.89 | 2.13 |
//! | 13 and 3 slots, weighed so: this rule | 0.64 | 0.76 | 0.99 |
//! | without turns | 0.95 | 1.58 | 3.46 |
//! | by the chances `p` alone | 0.73 | 0.96 | 2.11 |
//! | by `p` among the lowest `floor(own * smallest weight / weight)` | 0.71 | 0.94 | 1.92 |
//!
//! `leastbusy sim instances examples/sim/many-gateways.yaml` prints the first row, and with such slots in the file the
//! fourth; the others are of rules that were tried in this one's place.

use crate::dice::Dice;
use crate::group::TieBreak;

/// One deployment that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sight {
    /// Requests in flight of this instance.
    pub(crate) own: f64,
    /// Requests in flight of all instances, as far as is known.
    pub(crate) all: f64,
    /// Its share of the work; more than 0.
    pub(crate) weight: f64,
    /// Its turn at this instance, from 0 to 1.
    pub(crate) turn: f64,
}

/// The part of its share by weight that a deployment's chance must have to be eligible. Between 0.25 and 0.75 it makes
/// little difference; with less, runs of requests at one instance fall together, with 1 old views herd. (Tried here, asked
/// by `leastbusy sim instances examples/sim/many-gateways.yaml`, once more with `runs: 0.9` in its `instances`.)
const ELIGIBLE: f64 = 0.75;

/// The turn of a group's member at the instance with this rank among so many.
// Steps of the golden ratio spread any number of points evenly over the circle (Knuth, volume 3, section 6.4).
pub(crate) fn turn(member: usize, rank: u32, instances: u32) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    (member as f64 * GOLDEN + f64::from(rank) / f64::from(instances)).fract()
}

impl Sight {
    /// `2q + 1`: the slope of what one more request costs, times the weight.
    fn busy(&self) -> f64 {
        2.0 * self.all + 1.0
    }

    fn load(&self) -> f64 {
        self.busy() / self.weight
    }

    fn own_load(&self) -> f64 {
        (self.own + self.turn) / self.weight
    }
}

/// The place of the one to be chosen; `unseen` requests of others are expected before the view is true again.
///
/// `seen` has at least one.
pub(crate) fn choose(seen: &[Sight], unseen: f64, tie_break: TieBreak, dice: u64) -> usize {
    let to_spread = 2.0 * unseen;
    let level = water_level(seen, to_spread);
    let total: f64 = seen.iter().map(|one| one.weight).sum();
    // p >= ELIGIBLE * weight / total, solved for the load. When nothing is unseen rounding must not leave out the
    // lowest itself.
    let lowest = seen.iter().map(Sight::load).fold(f64::INFINITY, f64::min);
    let limit = (level - ELIGIBLE * to_spread / total).max(lowest);
    let least_own =
        seen.iter().filter(|one| one.load() <= limit).map(Sight::own_load).fold(f64::INFINITY, f64::min);
    let ties =
        || seen.iter().enumerate().filter(|(_, one)| one.load() <= limit && one.own_load() <= least_own);
    // Where nothing is to be spread all chances are 0, and equals have equal ones.
    let chance = |one: &Sight| match (one.weight * level - one.busy()).max(0.0) {
        chance if 0.0 < to_spread => chance,
        _ => 1.0,
    };
    if tie_break == TieBreak::First {
        return ties().next().map_or(0, |(place, _)| place);
    }
    let sum: f64 = ties().map(|(_, one)| chance(one)).sum();
    let mut point = Dice::new(dice).unit() * sum;
    let mut last = 0;
    for (place, one) in ties() {
        last = place;
        point -= chance(one);
        if point < 0.0 {
            break;
        }
    }
    last
}

/// The `y` at which `sum of max(0, w * y - busy)` is what is to be spread.
// As Michelot's projection onto a simplex (1986): with everybody in, the level is too high; those above it cannot
// be in; without them it is lower. It ends when nobody is above, after two or three rounds as a rule.
fn water_level(seen: &[Sight], to_spread: f64) -> f64 {
    let mut level = f64::INFINITY;
    loop {
        let (mut busy, mut weight) = (to_spread, 0.0);
        for one in seen.iter().filter(|one| one.load() < level) {
            busy += one.busy();
            weight += one.weight;
        }
        let lower = busy / weight;
        if weight == 0.0 || level <= lower {
            return level;
        }
        level = lower;
    }
}

#[cfg(test)]
mod tests;
