//! Several instances, and what they tell each other.

use super::{Event, Run, World};
use crate::gateway::{Board, Gateway};
use crate::{Dice, Instances, Policy};

/// What the instances have in common.
pub(super) struct Sharing<'a> {
    instances: &'a Instances,
    board: Board,
    /// Exchanges among the events.
    pending: usize,
    /// When they come.
    phases: Dice,
    /// Which instance the next request comes to, and which one the last did.
    spread: Dice,
    last: usize,
}

impl<'a> Sharing<'a> {
    pub(super) fn new(instances: &'a Instances, dice: &mut Dice) -> Self {
        let [phases, spread] = [(); 2].map(|()| Dice::new(dice.roll()));
        Self { instances, board: Board::new(instances.count as usize), pending: 0, phases, spread, last: 0 }
    }

    /// The instance that the next request comes to.
    pub(super) fn next_instance(&mut self) -> usize {
        let Instances { count, spread, .. } = *self.instances;
        if 1 < count {
            self.last = spread.next(count, self.last, &mut self.spread);
        }
        self.last
    }
}

impl World<'_> {
    /// The other instances; if they share, each in its own phase.
    pub(super) fn add_instances(&mut self, run: &Run<'_>, seeds: &mut Dice) {
        for _ in 1..run.instances.count {
            self.gateways.push(Gateway::new(run.engines, run.rules, run.policy, seeds.roll()));
        }
        let is_shared = 1 < run.instances.count && run.policy != Policy::CentralQueue;
        let Some(interval) = run.instances.shared_every.filter(|_| is_shared) else { return };
        let gateways = self.gateways.drain(..).enumerate();
        self.gateways = gateways.map(|(place, gateway)| gateway.sharing(place, interval)).collect();
        for instance in 0..self.gateways.len() {
            let phase = interval.mul_f64(self.sharing.phases.uniform());
            self.sharing.pending += 1;
            self.at(phase.into(), Event::Exchange(instance));
        }
    }

    /// An instance tells the others and hears them, and will do so again while there is anything to come.
    pub(super) fn exchange(&mut self, instance: usize) {
        let Sharing { instances, board, pending, phases, .. } = &mut self.sharing;
        *pending -= 1;
        let is_silent = instances.are_silent(self.now.since_start());
        self.gateways[instance].exchange(self.now, (!is_silent).then_some(board));
        let is_over = self.all_have_come && self.events.len() == *pending;
        if let Some(interval) = instances.shared_every.filter(|_| !is_over) {
            *pending += 1;
            // A fifth more or less, so that instances do not keep step.
            let next = interval.mul_f64(0.8 + 0.4 * phases.uniform());
            self.at(self.now.after(next), Event::Exchange(instance));
        }
    }
}
