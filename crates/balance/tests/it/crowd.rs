//! Instances that share what they know of deployments' health.

use std::time::Duration;

use leastbusy_balance::{
    Condition, Ending, Fleet, HealthRules, Learned, Lease, News, Outcome, Rest, Standing, TieBreak,
};

use crate::instances::{Board, Instance, exchange};

pub(crate) struct Crowd {
    pub(crate) instances: Vec<Instance>,
    pub(crate) board: Board,
    /// By the board's clock.
    pub(crate) now: Duration,
    rules: HealthRules,
    made: usize,
}

impl Crowd {
    pub(crate) fn of(instances: usize, deployments: usize, rules: &HealthRules) -> Self {
        let mut crowd = Self {
            instances: Vec::new(),
            board: Board::default(),
            now: Duration::from_secs(1000),
            rules: rules.clone(),
            made: 0,
        };
        (0..instances).for_each(|_| crowd.join(deployments));
        crowd.exchange();
        crowd
    }

    /// One more instance, which knows nothing yet.
    pub(crate) fn join(&mut self, deployments: usize) {
        self.instances.push(Instance::new(self.made, deployments, &self.rules, TieBreak::First));
        self.made += 1;
    }

    pub(crate) fn later(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    pub(crate) fn fleet(&self, at: usize) -> &Fleet {
        &self.instances[at].fleet
    }

    pub(crate) fn pick(&self, at: usize, deployment: usize) -> Lease {
        self.instances[at].pick(Some(deployment), self.now).expect("it may be picked")
    }

    /// One request of an instance goes to a deployment and ends so.
    pub(crate) fn answers(&self, at: usize, deployment: usize, ending: impl Into<Ending>) {
        self.pick(at, deployment).end(ending, self.instances[at].clock(self.now));
    }

    pub(crate) fn serves(&self, at: usize, deployment: usize) {
        self.answers(at, deployment, Outcome::Success);
    }

    pub(crate) fn condition(&self, at: usize, deployment: usize) -> Condition {
        let instance = &self.instances[at];
        instance.fleet.condition(instance.deployments[deployment], instance.clock(self.now))
    }

    pub(crate) fn standings(&self, deployment: usize) -> Vec<Standing> {
        (0..self.instances.len()).map(|at| self.condition(at, deployment).standing).collect()
    }

    /// Seconds of rest that are left at each instance.
    pub(crate) fn rests(&self, deployment: usize) -> Vec<Option<f64>> {
        let rest = |at| {
            let condition = self.condition(at, deployment);
            (condition.standing == Standing::CoolingDown)
                .then(|| condition.cooldown.expect("a rest has a reason").remaining.as_secs_f64())
        };
        (0..self.instances.len()).map(rest).collect()
    }

    /// What an instance has to tell at once of a deployment, by the board's clock.
    pub(crate) fn news(&self, at: usize, deployment: usize) -> Option<News> {
        let instance = &self.instances[at];
        let ahead = instance.clock(Duration::ZERO);
        let news = instance.fleet.news();
        let (_, news) = news.into_iter().find(|(of, _)| *of == instance.deployments[deployment])?;
        Some(match news {
            News::Rests(rest) => News::Rests(Rest { until: rest.until.saturating_sub(ahead), ..rest }),
            News::Returns { ramp, since } => News::Returns { ramp, since: since.saturating_sub(ahead) },
            News::AsksToProbe => News::AsksToProbe,
        })
    }

    pub(crate) fn learn(&self, at: usize, deployment: usize, news: &News) {
        let instance = &self.instances[at];
        let learned = match *news {
            News::Rests(rest) => Learned::Rests(Rest { until: instance.clock(rest.until), ..rest }),
            News::Returns { ramp, since } => Learned::Returns { ramp, since: instance.clock(since) },
            News::AsksToProbe => return,
        };
        instance.fleet.learn(instance.deployments[deployment], &learned, instance.clock(self.now));
    }

    /// All news of a deployment reach all others, and all counts.
    pub(crate) fn exchange(&mut self) {
        let deployments = self.instances.first().map_or(0, |instance| instance.deployments.len());
        for deployment in 0..deployments {
            for from in 0..self.instances.len() {
                let Some(news) = self.news(from, deployment) else { continue };
                let others = (0..self.instances.len()).filter(|to| *to != from);
                others.for_each(|to| self.learn(to, deployment, &news));
            }
        }
        exchange(&mut self.instances, &mut self.board, self.now);
    }

    pub(crate) fn guard(&self, guarded: bool) {
        self.instances.iter().for_each(|instance| instance.fleet.guard_probes(guarded));
    }

    /// Another instance may probe.
    pub(crate) fn refuse(&self, at: usize, deployment: usize) {
        let instance = &self.instances[at];
        let now = instance.clock(self.now);
        instance.fleet.learn(instance.deployments[deployment], &Learned::MayNotProbe, now);
    }

    /// An instance may probe for so long.
    pub(crate) fn grant(&self, at: usize, deployment: usize, seconds: f64) {
        let instance = &self.instances[at];
        let now = instance.clock(self.now);
        let until = now + Duration::from_secs_f64(seconds);
        instance.fleet.learn(instance.deployments[deployment], &Learned::MayProbe { until }, now);
    }
}
