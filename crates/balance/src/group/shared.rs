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
        scratch.members.clear();
        scratch.seen.clear();
        let mut best = (i64::MAX, true);
        let unavailable = self.survey(books, pick, limits, |surveyed| {
            let class = surveyed.class_as_told();
            let Surveyed { member, busy, elsewhere, share, .. } = surveyed;
            if class < best {
                best = class;
                scratch.members.clear();
                scratch.seen.clear();
            }
            if class == best {
                scratch.members.push(member);
                scratch.seen.push(Sight { own: busy - elsewhere, all: busy, weight: share, turn: 0.0 });
            }
        });
        let chosen = match scratch.members.is_empty() {
            true => unavailable.instead(pick),
            false => {
                let unseen = self.add_others(books.sharing(), &mut scratch, pick);
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
