//! Random fleets in random trouble: whatever happens, every request ends once and every count at 0.

use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::{GroupRules, HealthRules, Limits, RetryBudget, WhenAllCooling};

use super::at;
use crate::clock::Moment;
use crate::world::World;
use crate::{
    Client, Dice, Engine, Episode, Instances, Job, Policy, Queue, Report, Rules, Run, Spread, Trouble, WarmUp,
};

const SEEDS: u64 = 400;
const JOBS: usize = 80;

struct Chance(Dice);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        (self.0.uniform() * f64::from(bound)) as u32
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.below(number) == 0
    }

    fn time(&mut self, mean: f64) -> Duration {
        at(self.0.exponential(mean))
    }

    fn trouble(&mut self) -> Trouble {
        let share = [0.1, 0.5, 1.0][self.below(3) as usize];
        match self.below(5) {
            0 => Trouble::Down,
            1 => Trouble::Fails { share, after: [Duration::ZERO, at(0.02), at(3.0)][self.below(3) as usize] },
            2 => Trouble::Hangs { share },
            3 => Trouble::RateLimits {
                retry_after: [None, Some(at(0.0)), Some(at(7.0))][self.below(3) as usize],
            },
            _ => Trouble::Slow { speed: 0.1 + self.0.uniform() * 2.0 },
        }
    }

    fn episode(&mut self) -> Episode {
        // Whole seconds, so that things happen at one moment.
        let from = Duration::from_secs(self.below(60).into());
        Episode { from, until: from + Duration::from_secs(self.below(30).into()), trouble: self.trouble() }
    }

    fn engine(&mut self) -> Engine {
        let slots = 1 + self.below(3);
        Engine {
            full_speed: 1 + self.below(slots),
            first_token_time: if self.one_in(2) { Duration::ZERO } else { self.time(0.5) },
            prefill_tokens_per_second: self.one_in(3).then_some(5.0),
            memory_tokens: self.one_in(3).then_some(4.0),
            requests_max: self.one_in(3).then(|| 1 + self.below(4)),
            limit: NonZeroU32::new(self.below(4)),
            order: i64::from(self.below(4) / 3),
            episodes: (0..self.below(4)).map(|_| self.episode()).collect(),
            warm_up: self.one_in(2).then(|| WarmUp { speed: 0.3, time: at(5.0) }),
            ..Engine::new("engine", slots, 0.5 + self.0.uniform())
        }
    }

    fn rules(&mut self) -> Rules {
        let when_all_cooling = match self.below(3) {
            0 => WhenAllCooling::Fail,
            1 => WhenAllCooling::TrySoonest,
            _ => WhenAllCooling::Wait(at(10.0)),
        };
        let no_budget = RetryBudget { share: 0.0, per_second: 0.1 };
        Rules {
            health: HealthRules { cooldowns: !self.one_in(4), ..HealthRules::default() },
            group: GroupRules {
                retry_budget: if self.one_in(4) { no_budget } else { RetryBudget::default() },
                ..GroupRules::default()
            },
            queue: Queue {
                most: [None, Some(0), Some(3), Some(JOBS as u32)][self.below(4) as usize],
                timeout: if self.one_in(2) { at(60.0) } else { self.time(3.0) },
                turns: !self.one_in(4),
            },
            retries: self.below(4),
            walk: Limits { when_all_cooling, ..Limits::default() },
            request_timeout: self.one_in(2).then(|| self.time(20.0)),
            first_token_timeout: self.one_in(2).then(|| self.time(10.0)),
            answer_timeout: self.one_in(2).then(|| self.time(15.0)),
            streams: self.one_in(2),
        }
    }

    fn instances(&mut self) -> Instances {
        let count = 1 + self.below(3) * self.below(3);
        let shared_every = [None, Some(at(0.02)), Some(at(1.0))][self.below(3) as usize];
        let spread = match self.below(3) {
            0 if 1 < count => Spread::HalfOn(1),
            1 => Spread::Runs(0.8),
            _ => Spread::Evenly,
        };
        let silences = (0..self.below(3)).map(|number| (at(f64::from(number) * 20.0), at(30.0))).collect();
        Instances { silences, spread, ..Instances::sharing(count, shared_every) }
    }

    fn clients(&mut self) -> Vec<Client> {
        let count = self.below(4);
        let client = |_| {
            let share = 0.1 + self.0.uniform();
            Client { priority: self.below(2).into(), ..Client::new("client", share) }
        };
        (0..count).map(client).collect()
    }

    fn jobs(&mut self) -> Vec<Job> {
        let mut arrival = Duration::ZERO;
        let job = |_| {
            match self.below(5) {
                0 => {}
                1 => arrival = Duration::from_secs(arrival.as_secs() + 1),
                _ => arrival += self.time(0.7),
            }
            let tokens = |chance: &mut Self| if chance.one_in(8) { 0.0 } else { chance.0.exponential(1.0) };
            Job { arrival, prompt_tokens: tokens(self), output_tokens: tokens(self) }
        };
        (0..JOBS).map(job).collect()
    }
}

fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().sum()
}

fn assert_adds_up(report: &Report, run: &Run<'_>, told: &str) {
    let (jobs, engines) = (JOBS as u64, run.engines.len());
    let answered = report.responses.count();
    assert_eq!(report.requests(), jobs, "each ends once; {told}");
    assert_eq!(sum(report.served.iter().copied()), answered as u64, "{told}");
    assert_eq!((report.waits.count(), report.first_tokens.count()), (answered, answered), "{told}");
    assert_eq!((report.slowdowns.count(), report.queues.count()), (answered, answered), "{told}");
    assert!(report.refused <= report.errors, "{told}");
    let waits_of_clients: usize = report.client_waits.iter().map(crate::Times::count).sum();
    assert_eq!(waits_of_clients, if run.clients.is_empty() { 0 } else { answered }, "{told}");
    assert!(report.served.iter().zip(&report.attempts).all(|(served, made)| served <= made), "{told}");
    // Requests that nobody could be asked for make no attempt at all.
    let first_attempts = sum(report.attempts.iter().copied()) - report.retries;
    assert!((answered as u64..=jobs).contains(&first_attempts), "{first_attempts} first attempts; {told}");
    // Nobody is answered before the first token, or has one before a slot.
    for rank in 0..answered {
        let share = (rank as f64 + 0.5) / answered as f64;
        let Report { queues, waits, first_tokens, responses, .. } = report;
        let [queue, wait, first_token, response] =
            [queues, waits, first_tokens, responses].map(|times| times.quantile(share));
        assert!(queue <= wait && wait <= first_token && first_token <= response, "{told}");
        assert!(queue <= run.rules.queue.timeout, "{told}");
    }

    let goes_by_limits =
        !matches!(run.policy, Policy::StaleFirst { .. } | Policy::OwnAndTold | Policy::CentralQueue);
    for (engine, most) in run.engines.iter().zip(&report.largest_in_flight).filter(|_| goes_by_limits) {
        let limit = engine.limit.map_or(u32::MAX, |limit| limit.get() * run.instances.count);
        assert!(*most <= limit, "{most} at once; {told}");
    }

    let timeline = report.timeline.as_ref().expect("one was asked for");
    let all = |of: &dyn Fn(&crate::Span) -> u64| sum(timeline.spans.iter().map(of));
    assert_eq!(all(&|span| span.arrived), jobs, "{told}");
    assert_eq!(all(&|span| span.errors), report.errors, "{told}");
    assert_eq!(all(&|span| span.responses.count() as u64), answered as u64, "{told}");
    for engine in 0..engines {
        assert_eq!(all(&|span| span.attempts[engine]), report.attempts[engine], "{told}");
        let most = timeline.spans.iter().map(|span| span.in_flight[engine]).max();
        assert!(most <= Some(report.largest_in_flight[engine]), "{told}");
    }
}

/// Runs to the end, and looks whether everything is as it was at the start.
fn assert_nothing_is_left(run: &Run<'_>, jobs: &[Job], told: &str) {
    let mut world = World::new(run, jobs);
    for (number, job) in jobs.iter().enumerate() {
        world.run_until(job.arrival.into());
        world.arrive(number, *job);
        let open: u32 = world.machines.iter().map(|machine| machine.open).sum();
        assert_eq!(open as usize, world.visits.keys(|_| true).len(), "{told}");
    }
    world.all_have_come = true;
    world.run_until(Moment::NEVER);
    assert!(world.events.is_empty(), "{told}");
    // Only those are left that hang on a deployment, and those that no deployment was up for.
    let hanging = world.visits.keys(|_| true).len();
    let queued = world.central.as_ref().map_or(0, std::collections::VecDeque::len);
    assert_eq!(world.requests.keys(|_| true).len(), hanging + queued, "{told}");
    assert_eq!(queued, 0, "all episodes end; {told}");
    let open: u32 = world.machines.iter().map(|machine| machine.open).sum();
    assert_eq!(open as usize, hanging, "{told}");
    for machine in &world.machines {
        assert_eq!((machine.held(), machine.decode.next()), (0, None), "{told}");
    }
}

#[test]
fn every_request_is_answered_or_an_error_once_whatever_happens() {
    let (mut errors, mut refused, mut retries, mut answered, mut waited) = (0, 0, 0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(Dice::new(seed));
        let engines: &Vec<_> = &(0..=chance.below(4)).map(|_| chance.engine()).collect();
        let (rules, jobs, instances) = (chance.rules(), chance.jobs(), chance.instances());
        let clients = &chance.clients();
        let policy = Policy::ALL[seed as usize % Policy::ALL.len()];
        let span = Some(at(3.0));
        let (rules, instances) = (&rules, &instances);
        let run = Run { engines, rules, instances, clients, policy, seed, uncounted: 0, span };
        let told = format!("seed {seed}, {policy:?}");
        let report = run.report(&jobs);
        assert_adds_up(&report, &run, &told);
        assert_eq!(run.report(&jobs), report, "the same again; {told}");
        assert_nothing_is_left(&run, &jobs, &told);
        errors += report.errors;
        refused += report.refused;
        retries += report.retries;
        answered += report.responses.count();
        waited += usize::from(!report.queues.largest().is_zero());
    }
    // The scenarios are worth their name.
    assert!(1_000 < errors && 1_000 < retries && 10_000 < answered, "{errors} {retries} {answered}");
    assert!(500 < refused && 100 < waited, "{refused} refused, a queue in {waited} runs");
}
