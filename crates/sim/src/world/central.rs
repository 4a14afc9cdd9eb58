//! One queue before all deployments, for which nobody chooses too early.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::World;
use crate::engine::machine::Machine;
use crate::{Job, Trouble};

impl World<'_> {
    /// The head of the central queue goes to a machine that is free, as long as there is one.
    pub(super) fn serve_the_queue(&mut self) {
        while let Some(&request) = self.central.as_ref().and_then(VecDeque::front) {
            let Some(walking) = self.requests.get(request) else { return };
            let (number, job, from) = (walking.number, walking.job, (request, walking.instance));
            let Some(machine) = self.freest(&job) else { return };
            if let Some(queue) = &mut self.central {
                queue.pop_front();
            }
            let at_once = self.machines[machine].open + 1;
            self.tally.begun(number, machine, self.now, at_once, false);
            let visit = self.add_visit(from, job, machine, None);
            self.enter(visit, machine, job);
        }
    }

    /// The machine that is up and free for a job: where its prompt is read first, then where it is written fastest, then
    /// the least busy.
    fn freest(&self, job: &Job) -> Option<usize> {
        let is_well = |machine: &Machine<'_>| {
            // One that fails some of its requests serves the others: a bound may count on all of it.
            match machine.engine.trouble_at(self.now) {
                None | Some(Trouble::Slow { .. }) => true,
                Some(Trouble::Fails { share, .. } | Trouble::Hangs { share }) => share < 1.0,
                Some(Trouble::Down | Trouble::RateLimits { .. }) => false,
            }
        };
        let free = self.machines.iter().enumerate().filter(|(_, at)| at.is_free_for(job) && is_well(at));
        let rank = |at: &Machine<'_>| {
            let speed = at.engine.tokens_per_second * at.engine.speed_at(self.now) * at.share_of_one_more();
            let load = f64::from(at.open) / f64::from(at.engine.places());
            [at.prefill_backlog(self.now), -speed, load]
        };
        let earlier = |a: &Machine<'_>, b: &Machine<'_>| {
            let pairs = rank(a).into_iter().zip(rank(b));
            pairs.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        free.min_by(|(_, a), (_, b)| earlier(a, b)).map(|(machine, _)| machine)
    }
}
