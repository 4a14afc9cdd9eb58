//! What engines tell of themselves: requests that came to them past this program, and how full their caches are.
//!
//! A deployment may have other clients than the instances of one program. Its engine knows all its requests, but tells of
//! them a few times a second at most, while a pick must not wait. So what an engine told is taken apart at once: the
//! requests that are known here are counted here, from moment to moment, and only the others are kept from the
//! report. They count in full for a third of their time and then fade, evenly, until nothing is left: an engine that
//! falls silent is judged by own counts alone again.

use std::time::Duration;

use crate::fleet::{Books, DeploymentIndex, Fleet};

/// What an engine told of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineReport {
    /// Requests that it serves, and that wait in it.
    pub requests: u32,
    /// Whether it may have more than those, as where it tells only of those that wait. Such a report takes nothing back of
    /// what another one has told.
    pub at_least: bool,
    /// Requests in flight there when it was asked, by [`Fleet::in_flight_total`]; 0 where it was not. Those that ended before
    /// the report was here may still be among its requests.
    pub in_flight_before: u32,
    /// The part of its cache that is in use, between 0 and 1; `None` where it did not say. What is no number says nothing.
    pub kv_use: Option<f64>,
    /// How long the report counts: in full for a third of that time, then less and less.
    pub fades_after: Duration,
}

/// What is left of an engine's reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineLoad {
    /// Requests there that did not come through this program's instances.
    pub requests_elsewhere: f64,
    /// The part of its cache that is in use, between 0 and 1; `None` where it did not say, or too long ago.
    pub kv_use: Option<f64>,
    /// The time since its last report.
    pub age: Duration,
}

/// What the engines of a fleet have told.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    /// By the deployments' indices, as far as any has told.
    told: Vec<Told>,
    /// When the last request elsewhere will have faded out, if nobody tells more.
    until: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    elsewhere: Fading,
    kv_use: Option<Fading>,
    /// When it told last.
    at: Option<Duration>,
}

/// A number that counts less and less.
#[derive(Debug, Clone, Copy, Default)]
struct Fading {
    number: f64,
    since: Duration,
    fades_after: Duration,
}

impl Fading {
    fn new(number: f64, fades_after: Duration, now: Duration) -> Self {
        Self { number, since: now, fades_after }
    }

    fn ends(&self) -> Duration {
        self.since.saturating_add(self.fades_after)
    }

    fn left(&self, now: Duration) -> f64 {
        let fading = self.fades_after.saturating_sub(self.fades_after / 3);
        let left = self.ends().saturating_sub(now);
        match left.is_zero() {
            true => 0.0,
            false if fading <= left => self.number,
            false => self.number * left.div_duration_f64(fading),
        }
    }
}

impl Engines {
    fn told(&self, deployment: DeploymentIndex) -> Told {
        self.told.get(deployment.0 as usize).copied().unwrap_or_default()
    }

    /// Takes in a report of a deployment that has so many requests in flight of which is known here.
    fn see(&mut self, deployment: DeploymentIndex, report: &EngineReport, known: u32, now: Duration) {
        let at = deployment.0 as usize;
        if self.told.len() <= at {
            self.told.resize(at + 1, Told::default());
        }
        let told = &mut self.told[at];
        let elsewhere = f64::from(report.requests.saturating_sub(known.max(report.in_flight_before)));
        if !report.at_least || told.elsewhere.left(now) < elsewhere {
            told.elsewhere = Fading::new(elsewhere, report.fades_after, now);
        }
        if let Some(kv_use) = report.kv_use.filter(|kv_use| !kv_use.is_nan()) {
            told.kv_use = Some(Fading::new(kv_use.clamp(0.0, 1.0), report.fades_after, now));
        }
        told.at = told.at.max(Some(now));
        if 0.0 < told.elsewhere.number {
            self.until = self.until.max(told.elsewhere.ends());
        }
    }
}

impl Fleet {
    /// Takes in what a deployment's engine told of itself, at the moment that it is here.
    ///
    /// Of its requests, those in flight here and those that other instances told of are known; what is more came from
    /// elsewhere. Those count in every pick from now on like requests in flight, until they have faded: for the score, and
    /// for whether a deployment seems to have reached its limit, so that it goes after those that have not. Nothing is
    /// refused for them, and no count of this fleet tells of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use leastbusy_balance::{EngineReport, Fleet, Member, Pick, TieBreak, Weight};
    ///
    /// let fleet = Fleet::new();
    /// let (busy, idle) = (fleet.deploy(), fleet.deploy());
    /// let members = vec![Member::new(busy, Weight::ONE), Member::new(idle, Weight::ONE)];
    /// let chat = fleet.group(members, TieBreak::Random);
    ///
    /// // Somebody else has given it three requests.
    /// let now = Duration::from_secs(60);
    /// let fades_after = Duration::from_secs(3);
    /// let report = EngineReport { requests: 3, at_least: false, in_flight_before: 0, kv_use: None, fades_after };
    /// fleet.see_engine(busy, &report, now);
    ///
    /// let leases: Vec<_> = (0..3).map(|dice| chat.pick(&Pick { dice, now, ..Pick::default() }).unwrap()).collect();
    /// assert_eq!((fleet.in_flight(busy), fleet.in_flight(idle)), (0, 3));
    ///
    /// // It tells nothing more: two seconds later half of that is left, and after three seconds nothing.
    /// assert_eq!(fleet.engine_load(busy, now + Duration::from_secs(2)).unwrap().requests_elsewhere, 1.5);
    /// let later = now + Duration::from_secs(3);
    /// assert_eq!(chat.pick(&Pick { now: later, ..Pick::default() }).unwrap().deployment(), busy);
    /// ```
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    pub fn see_engine(&self, deployment: DeploymentIndex, report: &EngineReport, now: Duration) {
        let mut books = self.lock();
        let own = books.seat(deployment).in_flight;
        let known = own.saturating_add(books.others_in_flight(deployment));
        books.engines.see(deployment, report, known, now);
    }

    /// What is left of the reports of a deployment's engine; `None` where there was none.
    #[must_use]
    pub fn engine_load(&self, deployment: DeploymentIndex, now: Duration) -> Option<EngineLoad> {
        let books = self.lock();
        let age = now.saturating_sub(books.engines.told(deployment).at?);
        let (requests_elsewhere, kv_use) = (books.elsewhere(deployment, now), books.kv_use(deployment, now));
        Some(EngineLoad { requests_elsewhere, kv_use, age })
    }
}

impl Books {
    /// Whether there may be requests elsewhere that a pick has to count.
    pub(crate) fn hears_of_elsewhere(&self, now: Duration) -> bool {
        now < self.engines.until
    }

    /// Requests on a deployment that came from elsewhere, as far as what its engine told still counts.
    pub(crate) fn elsewhere(&self, deployment: DeploymentIndex, now: Duration) -> f64 {
        self.engines.told(deployment).elsewhere.left(now)
    }

    /// The part of its cache that a deployment's engine uses, less as that gets old; `None` where nothing is left of it.
    pub(crate) fn kv_use(&self, deployment: DeploymentIndex, now: Duration) -> Option<f64> {
        let kv_use = self.engines.told(deployment).kv_use?;
        (now < kv_use.ends()).then(|| kv_use.left(now))
    }
}

#[cfg(test)]
mod tests;
