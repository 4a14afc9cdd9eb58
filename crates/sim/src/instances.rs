//! Several instances of the gateway before the same deployments.

use std::time::Duration;

use leastbusy_balance::Roster;

use crate::Dice;

/// How many instances of the gateway there are, how they share their counts, and how requests come to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Instances {
    /// How many; at least 1. Default 1.
    pub count: u32,
    /// How often each tells the others what it has in flight, and hears them; `None` shares nothing. Default `None`.
    pub shared_every: Option<Duration>,
    /// Times in which nobody tells or hears anything, from and until.
    pub silences: Vec<(Duration, Duration)>,
    /// Which of them a request comes to.
    pub spread: Spread,
}

/// Which instance a request comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Spread {
    /// Any of them, with the same chance.
    #[default]
    Evenly,
    /// Half of the requests to so many of them, at least 1, the other half to the others; evenly where there are no
    /// others.
    HalfOn(u32),
    /// The same as the one before it with this chance, 0 to 1, and otherwise any of them: runs of requests at one
    /// instance, as a client or a connection sends them.
    Runs(f64),
}

impl Default for Instances {
    fn default() -> Self {
        Self::sharing(1, None)
    }
}

impl Instances {
    /// So many, each of which tells the others this often; requests come to any of them.
    #[must_use]
    pub fn sharing(count: u32, shared_every: Option<Duration>) -> Self {
        Self { count, shared_every, silences: Vec::new(), spread: Spread::Evenly }
    }

    /// How often instances share their counts where nobody says: every 20 ms, from nine instances on every 50 ms.
    #[must_use]
    pub fn usual_interval(count: u32) -> Duration {
        Roster::usual_interval(count as usize)
    }

    pub(crate) fn are_silent(&self, now: Duration) -> bool {
        self.silences.iter().any(|(from, until)| *from <= now && now < *until)
    }
}

impl Spread {
    /// The instance that the next request comes to, of so many; `last` is that of the one before.
    pub(crate) fn next(self, count: u32, last: usize, dice: &mut Dice) -> usize {
        let count = count as usize;
        let mut any = |from: usize, until: usize| from + (dice.uniform() * (until - from) as f64) as usize;
        match self {
            Self::Evenly => any(0, count),
            Self::HalfOn(few) if few as usize >= count => any(0, count),
            Self::HalfOn(few) => match any(0, 2) {
                0 => any(0, few as usize),
                _ => any(few as usize, count),
            },
            Self::Runs(stay) => {
                let goes_on = dice.uniform() < stay;
                if goes_on { last } else { (dice.uniform() * count as f64) as usize }
            }
        }
    }
}

#[cfg(test)]
mod tests;
