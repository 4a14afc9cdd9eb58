//! What other instances of the gateway tell of the deployments, and what this one tells them.

mod roster;
mod sharing;

use std::time::Duration;

pub use roster::{InstanceId, Known, Roster};
pub(crate) use sharing::{Others, Scratch, Sharing};

use crate::fleet::{DeploymentIndex, Fleet};
use crate::health::{Answers, News, Rest};

/// What an instance tells of one deployment.
///
/// All numbers are absolute: whatever is lost, repeated or late is made good by the next telling.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The deployment that it is about.
    pub deployment: DeploymentIndex,
    /// Requests that the instance has in flight there.
    pub in_flight: u32,
    /// Requests a second that it sent there lately; what is not a number from 0 up counts as 0.
    pub arrivals: f64,
    /// What it saw of the answers.
    pub answers: Answers,
}

/// What is known of the other instances at one moment; made by a [`Roster`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// When it was put together.
    pub at: Duration,
    /// How old what the others told was by then, on average.
    pub age: Duration,
    /// Other instances that are alive.
    pub others: u32,
    /// Other instances whose names come before this one's, so that all can share out places without a word.
    pub rank: u32,
    /// Whether they are there and cannot be heard, so that nothing is known of what they do; default false.
    pub unheard: bool,
    /// What they told of the deployments, added up; each deployment once, in the order they were added to the fleet.
    pub deployments: Vec<Seen>,
}

/// What all other instances together have told of one deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The deployment that it is about.
    pub deployment: DeploymentIndex,
    /// Requests that they had in flight when they told.
    pub in_flight: u32,
    /// How long before the view was put together that was, on average.
    pub age: Duration,
    /// Requests a second that they sent there lately.
    pub arrivals: f64,
    /// What they saw of its answers.
    pub answers: Answers,
}

/// What another instance has made known of a deployment's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// It rests. A rest that is known here to last longer does; one that is over means that it is yet to be probed,
    /// unless it has come back here since or serves.
    Rests(Rest),
    /// This instance, and no other, may probe it.
    MayProbe {
        /// The moment until which a request may be picked for it. A probe is waited for two seconds: whoever grants the
        /// right keeps it from the others for so much longer.
        until: Duration,
    },
    /// Another instance may probe it, and this one, which has asked, may not; it asks again 200 ms later if there is still
    /// reason to.
    MayNotProbe,
    /// It comes back, by the ramp of this name. This instance takes part in it, once a later rest that it knows of is
    /// over, unless it has taken part before, goes by a ramp that began earlier, or has the deployment serve already.
    Returns {
        /// The ramp's name.
        ramp: u64,
        /// When it began, as far as can be told here: to within a second.
        since: Duration,
    },
}

impl Fleet {
    /// What this instance tells the others: the deployments that there is anything to tell of.
    pub fn tell(&self, now: Duration) -> Vec<Told> {
        let count = self.lock().deployments();
        let mut told = Vec::with_capacity(count);
        let mut books = self.lock();
        let (sharing, deployments) = books.share();
        let deployments = deployments.map(|(seat, health)| (seat.in_flight, health.answers(now)));
        sharing.tell(deployments, now, &mut told);
        drop(books);
        told
    }

    /// Goes by what the others have told from now on; it takes the place of what they told before.
    ///
    /// Where there are others, a pick weighs what they told against its age (the two-view rule): the fleet's counts say
    /// which deployments are eligible, own counts which of them is picked. They can only add to a deployment's
    /// load, never take from it. Their answers count as own ones do, and a returning deployment's places are shared with them.
    /// Without others a pick goes by what happened here alone. Where there are some that cannot be heard, own counts
    /// decide, by this instance's turns.
    ///
    /// Two instances, and what a program has to carry from one to the other: on a timer, over whatever it likes. A telling
    /// that is lost, late or comes twice does no harm; the next one is complete again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use leastbusy_balance::{Fleet, InstanceId, Learned, Member, News, Outcome, Pick, Roster, TieBreak, Weight};
    ///
    /// // Both know the same two deployments, in the same order here, so that an index means the same to both.
    /// let [ours, theirs] = [(); 2].map(|()| {
    ///     let fleet = Fleet::new();
    ///     let members = (0..2).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    ///     let group = fleet.group(members, TieBreak::Random);
    ///     (fleet, group)
    /// });
    /// let deployments: Vec<_> = ours.1.members().iter().map(|member| member.deployment).collect();
    /// // Each goes by a clock of its own; here they happen to agree.
    /// let now = Duration::from_secs(60);
    ///
    /// // Three requests of theirs keep the first deployment busy.
    /// let to_the_first = Pick { tried: &deployments[1..], now, ..Pick::default() };
    /// let _busy = [(); 3].map(|()| theirs.1.pick(&to_the_first).unwrap());
    ///
    /// // They tell, we hear. The number rises with every telling; `interval` is the time between two.
    /// let mut roster = Roster::new(InstanceId(1), Duration::from_secs(2));
    /// let interval = Duration::from_millis(20);
    /// roster.heard(InstanceId(2), 1, interval, theirs.0.tell(now), now);
    /// ours.0.see(roster.view(now), now);
    ///
    /// assert_eq!((ours.0.in_flight(deployments[0]), ours.0.in_flight_total(deployments[0])), (0, 3));
    /// let lease = ours.1.pick(&Pick { now, ..Pick::default() }).unwrap();
    /// assert_eq!(lease.deployment(), deployments[1]);
    ///
    /// // It is rate limited and rests, and they are to know at once.
    /// lease.end(Outcome::RateLimited { retry_after: None }, now);
    /// for (deployment, news) in ours.0.news() {
    ///     if let News::Rests(rest) = news {
    ///         theirs.0.learn(deployment, &Learned::Rests(rest), now);
    ///     }
    /// }
    /// let lease = theirs.1.pick(&Pick { now, ..Pick::default() }).unwrap();
    /// assert_eq!(lease.deployment(), deployments[0], "although it is the busier one");
    /// ```
    pub fn see(&self, mut view: View, now: Duration) {
        if view.others == 0 {
            view.deployments.clear();
        }
        let mut books = self.lock();
        let (sharing, deployments) = books.share();
        sharing.see(&view);
        let mut seen = view.deployments.iter_mut().peekable();
        for (at, (seat, health)) in deployments.enumerate() {
            let mut nothing = Answers::default();
            let of_this = seen.next_if(|seen| seen.deployment.0 as usize == at);
            health.others_saw(of_this.map_or(&mut nothing, |seen| &mut seen.answers), now);
            seat.calm = health.settle(now);
            sharing.has(DeploymentIndex::at(at), seat.in_flight);
        }
        // What was told before is in `view` now, and is freed without the lock.
        drop(books);
    }

    /// What the other instances are to know at once of the deployments' health; each is told once.
    pub fn news(&self) -> Vec<(DeploymentIndex, News)> {
        let mut books = self.lock();
        let all = books.all_health().iter_mut().enumerate();
        all.filter_map(|(at, health)| Some((DeploymentIndex::at(at), health.take_news()?))).collect()
    }

    /// Has every rest and return told once more, for others who cannot know of them.
    pub fn repeat_news(&self, now: Duration) {
        self.lock().all_health().iter_mut().for_each(|health| health.repeat_news(now));
    }

    /// Whether a deployment that has rested, one that is added later included, is probed only by leave of the other instances
    /// ([`News::AsksToProbe`], [`Learned::MayProbe`]), so that one request of all shows whether it is well; without the guard
    /// each instance probes for itself.
    ///
    /// No request waits for leave that has nowhere else to go: where every deployment of its group rests, it probes the one
    /// that has rested, and where an instance has no answer within 100 ms, its next request does. Then there may be a
    /// probe of every instance, one of each at a time.
    pub fn guard_probes(&self, guarded: bool) {
        self.lock().guard_probes(guarded);
    }

    /// Takes in what another instance has made known.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    pub fn learn(&self, deployment: DeploymentIndex, learned: &Learned, now: Duration) {
        let mut books = self.lock();
        let health = books.health(deployment);
        match learned {
            Learned::Rests(rest) => health.rests_elsewhere(rest, now),
            Learned::MayProbe { until } => health.may_probe(*until),
            Learned::MayNotProbe => health.may_not_probe(now),
            Learned::Returns { ramp, since } => health.returns_elsewhere(*ramp, *since, now),
        }
        let calm = health.settle(now);
        books.set_calm(deployment, calm);
    }

    /// Requests in flight on a deployment, those of other instances included as they told last.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn in_flight_total(&self, deployment: DeploymentIndex) -> u32 {
        let books = self.lock();
        books.seat(deployment).in_flight.saturating_add(books.others_in_flight(deployment))
    }
}
