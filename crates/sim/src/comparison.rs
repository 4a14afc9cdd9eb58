//! Several ways of choosing over the same requests, several times.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{array, thread};

use crate::estimate::Estimate;
use crate::metric::{Measure, Metric, Statistic};
use crate::report::Report;
use crate::{Policy, Scenario};

/// What several ways of choosing came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// One row for each way, in the order they were asked for.
    pub rows: Vec<Row>,
}

/// What one way of choosing came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The way of choosing.
    pub policy: Policy,
    /// One for each seed.
    pub runs: Vec<Summary>,
}

/// The points of a curve: what 0.5 %, 1 %, ... 99.5 % of the requests do not exceed, and 99.9 %.
pub const CURVE_POINTS: usize = 200;

/// What is kept of a run: a report holds every request.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    figures: Vec<f64>,
    /// For each [`Measure`], its values at [`curve_share`].
    pub curves: [Vec<f64>; 5],
    /// For each client, each [`Statistic`] of its waits in seconds.
    client_waits: Vec<[f64; Statistic::ALL.len()]>,
    /// For each deployment, the most requests it had at once.
    pub largest_in_flight: Vec<u32>,
    /// For each deployment, the requests that it answered.
    pub served: Vec<u64>,
}

/// The share of requests at a point of a curve.
#[must_use]
pub fn curve_share(point: usize) -> f64 {
    if point + 1 == CURVE_POINTS { 0.999 } else { (point + 1) as f64 / CURVE_POINTS as f64 }
}

impl Summary {
    /// What is kept of a run.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let per_mille = |point| Statistic::PerMille((curve_share(point) * 1000.0).round() as u16);
        let curve = |measure| {
            (0..CURVE_POINTS).map(move |point| Metric::Of(measure, per_mille(point)).of(report)).collect()
        };
        Self {
            figures: Metric::all().into_iter().map(|metric| metric.of(report)).collect(),
            client_waits: report
                .client_waits
                .iter()
                .map(|waits| Statistic::ALL.map(|statistic| statistic.of(waits)))
                .collect(),
            curves: array::from_fn(|measure| curve(Measure::ALL[measure])),
            largest_in_flight: report.largest_in_flight.clone(),
            served: report.served.clone(),
        }
    }

    /// One figure of the run.
    #[must_use]
    pub fn figure(&self, metric: Metric) -> f64 {
        let place = Metric::all().into_iter().position(|known| known == metric);
        place.map_or(f64::NAN, |place| self.figures[place])
    }
}

impl Row {
    /// How far one figure is from another row's. Both saw the same requests in each run, so that the differences of
    /// the runs vary much less than the figures do.
    #[must_use]
    pub fn difference(&self, other: &Self, metric: Metric) -> Estimate {
        let pairs = self.runs.iter().zip(&other.runs);
        let differences: Vec<f64> = pairs.map(|(a, b)| a.figure(metric) - b.figure(metric)).collect();
        Estimate::of(&differences)
    }

    /// Whether one figure differs from another row's by more than chance explains; a single run cannot tell.
    #[must_use]
    pub fn differs_from(&self, other: &Self, metric: Metric) -> bool {
        let difference = self.difference(other, metric);
        difference.margin.is_some_and(|margin| margin < difference.mean.abs())
    }

    /// A measure at the points of its curve, as the mean of the runs.
    #[must_use]
    pub fn curve(&self, measure: Measure) -> Vec<f64> {
        let place = Measure::ALL.iter().position(|known| *known == measure).unwrap_or(0);
        (0..CURVE_POINTS).map(|point| self.mean(|run| run.curves[place][point])).collect()
    }

    /// The most requests at once on a deployment, as the mean of the runs; `None` where the fleet was run as one
    /// (see [`Scenario::replay`]).
    #[must_use]
    pub fn largest_in_flight(&self, deployments: usize, place: usize) -> Option<f64> {
        let is_whole = self.runs.iter().all(|run| run.largest_in_flight.len() == deployments);
        is_whole.then(|| self.mean(|run| f64::from(run.largest_in_flight[place])))
    }

    /// The share of the answers that a deployment gave, as the mean of the runs; `None` likewise.
    #[must_use]
    pub fn share_of_answers(&self, deployments: usize, place: usize) -> Option<f64> {
        let is_whole = self.runs.iter().all(|run| run.served.len() == deployments);
        let share = |run: &Summary| run.served[place] as f64 / run.served.iter().sum::<u64>().max(1) as f64;
        is_whole.then(|| self.mean(share))
    }

    /// The wait of a client's requests over all runs, in seconds, by the client's place in
    /// [`Scenario::clients`]; not a number where there is no such client or statistic.
    #[must_use]
    pub fn client_wait(&self, client: usize, statistic: Statistic) -> Estimate {
        let place = Statistic::ALL.iter().position(|known| *known == statistic);
        let of = |run: &Summary| place.and_then(|place| Some(run.client_waits.get(client)?[place]));
        let figures: Vec<f64> = self.runs.iter().map(|run| of(run).unwrap_or(f64::NAN)).collect();
        Estimate::of(&figures)
    }

    fn mean(&self, of: impl Fn(&Summary) -> f64) -> f64 {
        self.runs.iter().map(of).sum::<f64>() / self.runs.len().max(1) as f64
    }

    /// One figure over all runs.
    #[must_use]
    pub fn estimate(&self, metric: Metric) -> Estimate {
        let figures: Vec<f64> = self.runs.iter().map(|run| run.figure(metric)).collect();
        Estimate::of(&figures)
    }
}

impl Comparison {
    /// Runs every policy over the requests of every seed, on so many threads; `done` is told of each run's end.
    ///
    /// The number of threads changes nothing but the time.
    pub fn run(
        scenario: &Scenario,
        policies: &[Policy],
        seeds: &[u64],
        threads: NonZeroUsize,
        done: &(dyn Fn() + Sync),
    ) -> Self {
        let results: Vec<Mutex<Vec<Summary>>> = seeds.iter().map(|_| Mutex::new(Vec::new())).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(&seed) = seeds.get(place) else { return };
                let jobs = scenario.jobs(seed);
                let run = |policy: &Policy| {
                    let summary = Summary::of(&scenario.replay(&jobs, *policy, seed, None));
                    done();
                    summary
                };
                let summaries = policies.iter().map(run).collect();
                *results[place].lock().expect("no run panics with the lock") = summaries;
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads.get().min(seeds.len()) {
                scope.spawn(work);
            }
        });
        let mut runs: Vec<_> = results
            .into_iter()
            .map(|result| result.into_inner().expect("no run panics with the lock").into_iter())
            .collect();
        let row = |policy: &Policy| Row {
            policy: *policy,
            runs: runs.iter_mut().filter_map(Iterator::next).collect(),
        };
        Self { rows: policies.iter().map(row).collect() }
    }
}

#[cfg(test)]
mod tests;
