//! What instances tell each other.

use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{Fleet, InstanceId, Member, Roster, Told};

/// Where every instance leaves what it tells, and reads what the others told.
#[derive(Debug, Default)]
pub(crate) struct Board(Vec<Option<Post>>);

/// What an instance told last.
#[derive(Debug)]
struct Post {
    number: u64,
    interval: Duration,
    told: Arc<[Told]>,
}

/// One instance's part in it.
#[derive(Debug)]
pub(super) struct Exchange {
    place: usize,
    fleet: Arc<Fleet>,
    roster: Roster,
    interval: Duration,
    /// Numbers what it tells.
    number: u64,
    /// What the others have on each member, as they told last.
    pub(super) others: Vec<u32>,
}

impl Board {
    pub(crate) fn new(instances: usize) -> Self {
        Self((0..instances).map(|_| None).collect())
    }
}

impl Exchange {
    pub(super) fn new(place: usize, fleet: Arc<Fleet>, members: usize, interval: Duration) -> Self {
        Self {
            place,
            fleet,
            roster: Roster::new(id(place), Roster::usual_lease(interval)),
            interval,
            number: 0,
            others: vec![0; members],
        }
    }

    /// Tells the others and hears them, in one step, if the board is there; goes by what it knows in any case.
    pub(super) fn run(&mut self, board: Option<&mut Board>, members: &[Member], now: Duration) {
        let is_heard = board.is_some();
        if let Some(board) = board {
            self.tell_and_hear(board, now);
        }
        let view = if is_heard { self.roster.view(now) } else { self.roster.view_or_unheard(now) };
        for (others, member) in self.others.iter_mut().zip(members) {
            let seen = view.deployments.iter().find(|seen| seen.deployment == member.deployment);
            *others = seen.map_or(0, |seen| seen.in_flight);
        }
        self.fleet.see(view, now);
    }

    fn tell_and_hear(&mut self, Board(posts): &mut Board, now: Duration) {
        self.number += 1;
        let told = self.fleet.tell(now).into();
        posts[self.place] = Some(Post { number: self.number, interval: self.interval, told });
        for (place, post) in posts.iter().enumerate() {
            let Some(post) = post else { continue };
            if self.roster.is_news(id(place), post.number) {
                self.roster.heard(id(place), post.number, post.interval, Arc::clone(&post.told), now);
            }
        }
    }
}

fn id(place: usize) -> InstanceId {
    InstanceId(place as u128)
}

#[cfg(test)]
mod tests;
