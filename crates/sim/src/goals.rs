//! The goals that balancing must meet, measured on the production heart.
//!
//! Their bounds come from theory and from simulations of other rules. Whether they are met is asked of several
//! runs with other dice: a goal is met only if the whole 95 % confidence interval of each of its figures is within
//! its bound, so that luck does not meet it. A short look, as in tests, can only tell what is missed clearly.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Estimate;

mod bound;
mod burst;
mod failing;
mod fleets;
mod instances;
mod queue;
mod recovery;
mod ties;
mod unequal;

/// A goal, and what was measured for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// Its short name, such as `G1`.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub says: &'static str,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// One figure of a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub what: String,
    /// Where it must lie.
    pub bound: Bound,
    /// What it came to.
    pub measured: Estimate,
}

/// Where a figure must lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Not above this.
    AtMost(f64),
    /// Not below the one, not above the other.
    Within(f64, f64),
}

/// How thoroughly goals are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Runs with other dice, from which the error of a figure is told; at least 2.
    pub seeds: u64,
    /// The length of a run as a share of the full one, more than 0.
    pub length: f64,
}

impl Effort {
    /// What it takes to tell whether all goals are met: three minutes on two cores.
    pub const FULL: Self = Self { seeds: 12, length: 1.0 };
    /// What it takes to see a goal that is missed by far: a few seconds on two cores.
    pub const SHORT: Self = Self { seeds: 4, length: 0.03 };
}

/// A goal before it is measured.
struct Plan {
    name: &'static str,
    says: &'static str,
    cases: Vec<Case>,
}

/// Runs that give some figures of a goal together.
struct Case {
    figures: Vec<(String, Bound)>,
    /// The figures of one run, by its length and its seed.
    measure: Box<Measure>,
}

type Measure = dyn Fn(f64, u64) -> Vec<f64> + Send + Sync;

fn plans() -> Vec<Plan> {
    let [often, seldom, always, many] = instances::plans();
    let [queue, several] = queue::plans();
    vec![
        bound::plan(),
        often,
        seldom,
        always,
        many,
        burst::plan(),
        recovery::plan(),
        failing::plan(),
        unequal::plan(),
        ties::plan(),
        queue,
        several,
    ]
}

impl Goal {
    /// Measures all goals on so many threads; `done` is told of each end of a run, of which there are
    /// [`Goal::runs`].
    ///
    /// The number of threads changes nothing but the time.
    ///
    /// # Panics
    ///
    /// If there are fewer than two seeds: one has no error, and every figure would look certain.
    pub fn measure_all(effort: Effort, threads: NonZeroUsize, done: &(dyn Fn() + Sync)) -> Vec<Self> {
        assert!(2 <= effort.seeds, "a figure's error is known from two seeds on");
        let plans = plans();
        let cases: Vec<&Case> = plans.iter().flat_map(|plan| &plan.cases).collect();
        let runs: Vec<(usize, u64)> =
            (0..cases.len()).flat_map(|case| (1..=effort.seeds).map(move |seed| (case, seed))).collect();
        let results: Vec<Mutex<Vec<f64>>> = runs.iter().map(|_| Mutex::new(Vec::new())).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(case, seed)) = runs.get(place) else { return };
                let figures = (cases[case].measure)(effort.length, seed);
                *results[place].lock().expect("no run panics with the lock") = figures;
                done();
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads.get().min(runs.len()) {
                scope.spawn(work);
            }
        });
        let mut results =
            results.into_iter().map(|result| result.into_inner().expect("no run panics with the lock"));
        let mut figures_of = |case: &Case| -> Vec<Figure> {
            let seeds: Vec<Vec<f64>> = results.by_ref().take(effort.seeds as usize).collect();
            let figure = |(place, (what, bound)): (usize, &(String, Bound))| {
                let figures: Vec<f64> = seeds.iter().map(|figures| figures[place]).collect();
                Figure { what: what.clone(), bound: *bound, measured: Estimate::of(&figures) }
            };
            case.figures.iter().enumerate().map(figure).collect()
        };
        let goal = |plan: &Plan| Self {
            name: plan.name,
            says: plan.says,
            figures: plan.cases.iter().flat_map(&mut figures_of).collect(),
        };
        plans.iter().map(goal).collect()
    }

    /// The runs that measuring all goals takes.
    #[must_use]
    pub fn runs(effort: Effort) -> u64 {
        plans().iter().map(|plan| plan.cases.len() as u64).sum::<u64>() * effort.seeds
    }

    /// Whether all its figures are within their bounds.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }
}

impl Figure {
    /// Whether the whole interval is within the bound.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let (low, high) = self.interval();
        match self.bound {
            Bound::AtMost(most) => high <= most,
            Bound::Within(least, most) => least <= low && high <= most,
        }
    }

    /// Whether the whole interval is outside the bound.
    #[must_use]
    pub fn is_clearly_missed(&self) -> bool {
        let (low, high) = self.interval();
        match self.bound {
            Bound::AtMost(most) => most < low,
            Bound::Within(least, most) => most < low || high < least,
        }
    }

    fn interval(&self) -> (f64, f64) {
        let margin = self.measured.margin.unwrap_or(0.0);
        (self.measured.mean - margin, self.measured.mean + margin)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => f.pad(&format!("at most {most}")),
            Self::Within(least, most) => f.pad(&format!("{least} to {most}")),
        }
    }
}

#[cfg(test)]
mod tests;
