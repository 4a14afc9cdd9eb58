//! The pick while other instances pick among the same deployments.

use std::mem;

use super::{Core, TieBreak};
use crate::candidate::Surveyed;
use crate::fleet::Books;
use crate::others::{Scratch, Sharing};
use crate::pick::{Pick, Refusal};
use crate::two_view::{self, Sight};

impl Core {
    /// The member that the two-view rule chooses among those of the best level and with a free place.
    pub(super) fn least_busy_of_all(
        &self,
        books: &mut Books,
        pick: &Pick<'_>,
        limits: &impl Fn(usize) -> Option<u32>,
    ) -> Result<usize, Refusal> {
        let mut scratch = mem::take(&mut books.sharing().scratch);
        scratch.clear();
        let mut best = (i64::MAX, true);
        let unavailable = self.survey(books, pick, limits, |surveyed| {
            let class = surveyed.class();
            let Surveyed { member, in_flight, phantoms, elsewhere, burden, share, .. } = surveyed;
            if class < best {
                best = class;
                scratch.clear();
            }
            if class == best {
                let own = f64::from(in_flight);
                scratch.members.push(member);
                scratch.seen.push(Sight { own, all: own + elsewhere, weight: share, turn: 0.0 });
                scratch.beside.push(f64::from(phantoms) + burden);
            }
        });
        let chosen = match scratch.members.is_empty() {
            true => unavailable.instead(pick),
            false => {
                let unseen = self.add_others(books.sharing(), &mut scratch, pick);
                keep_those_with_room(&mut scratch, unseen, limits);
                // Neither ends as requests do, nor takes a place of the limit.
                for (seen, beside) in scratch.seen.iter_mut().zip(&scratch.beside) {
                    seen.own += beside;
                    seen.all += beside;
                }
                let place = two_view::choose(&scratch.seen, unseen, self.rules.tie_break, pick.dice);
                Ok(scratch.members[place])
            }
        };
        books.sharing().scratch = scratch;
        chosen
    }

    /// Adds what is left of the requests the others told of, what came from elsewhere, and the turns; returns how many the
    /// others have probably begun since.
    // Requests end at the rate that they arrive at, divided by those in flight (Little): of what was told, exp(-h t) is
    // left after t, and of what arrived since, (1 - exp(-h t)) / h t is.
    fn add_others(&self, sharing: &Sharing, scratch: &mut Scratch, pick: &Pick<'_>) -> f64 {
        let Some(view) = sharing.view() else { return 0.0 };
        let since = pick.now.saturating_sub(view.at).as_secs_f64();
        let deployment = |member: usize| self.members[member].deployment;
        let (mut in_flight, mut arrivals, mut own_arrivals) = (0.0, 0.0, 0.0);
        for (member, seen) in scratch.members.iter().zip(&scratch.seen) {
            let others = sharing.others(deployment(*member));
            in_flight += seen.own + f64::from(others.in_flight);
            arrivals += others.arrivals;
            own_arrivals += sharing.own_arrivals(deployment(*member));
        }
        // Nobody can be heard: as they all get the same requests, each of the others has as much as this one, somewhere.
        let unheard = if view.unheard { f64::from(view.others) * in_flight } else { 0.0 };
        in_flight += unheard;
        let has_turns = self.rules.tie_break == TieBreak::Random && scratch.members.len() as f64 <= in_flight;
        let ends = if in_flight == 0.0 { 0.0 } else { (arrivals + own_arrivals) / in_flight };
        for (member, seen) in scratch.members.iter().zip(&mut scratch.seen) {
            let others = sharing.others(deployment(*member));
            // Every instance knows of the requests from elsewhere: each makes room for its part of them.
            seen.own += (seen.all - seen.own) / (f64::from(view.others) + 1.0);
            if 0 < others.in_flight {
                seen.all += f64::from(others.in_flight) * (-ends * (others.age + since)).exp();
            }
            if has_turns {
                seen.turn = two_view::turn(*member, view.rank, view.others.saturating_add(1));
            }
        }
        let age = view.age.as_secs_f64() + since;
        let ended = ends * age;
        let left = if ended < 1e-6 { 1.0 } else { -(-ended).exp_m1() / ended };
        unheard + arrivals * age * left
    }
}

/// Leaves out who has reached its limit, as far as is known, while the others have room for all requests that the view
/// does not show.
///
/// Beyond that all may be full by now, and those that do not look so would get the requests of every instance: 16 instances
/// before 16 deployments of 8 at 90 % load, views a second old, waited six times as long by keeping to them
/// (docs/queue.md).
fn keep_those_with_room(scratch: &mut Scratch, unseen: f64, limits: &impl Fn(usize) -> Option<u32>) {
    let Scratch { members, seen, beside } = scratch;
    let room = |member: usize, all: f64| match limits(member) {
        Some(limit) => (f64::from(limit) - all).max(0.0),
        None => f64::INFINITY,
    };
    let of_all: f64 = members.iter().zip(&*seen).map(|(member, one)| room(*member, one.all)).sum();
    if of_all < 1.0 + unseen {
        return;
    }
    let mut kept = 0;
    for place in 0..members.len() {
        if 0.0 < room(members[place], seen[place].all) {
            members.swap(kept, place);
            seen.swap(kept, place);
            beside.swap(kept, place);
            kept += 1;
        }
    }
    members.truncate(kept);
    seen.truncate(kept);
    beside.truncate(kept);
}
