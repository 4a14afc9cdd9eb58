//! Who fails when and how, and what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::Outcome;

use super::IDS;
use super::gateway::Gateway;
use super::ill::Fault;
use super::load::{Load, Seen, Tally};

const ILL: Duration = Duration::from_millis(700);
const ILL_LONGER: Duration = Duration::from_millis(1500);
const WELL: Duration = Duration::from_millis(100);

/// A time in which the faults stay as they are.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) faults: [Fault; IDS.len()],
    pub(crate) time: Duration,
}

impl Phase {
    fn well() -> Self {
        Self { faults: [Fault::None; IDS.len()], time: WELL }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.faults.iter().all(|&fault| fault == Fault::None)
    }
}

/// Each fault on one, two or (half of the time) three of four, with time to recover between them.
pub(crate) fn in_turn(dice: &mut fastrand::Rng) -> Vec<Phase> {
    let mut phases = vec![Phase::well()];
    for fault in Fault::ALL {
        let ill = dice.choice([1, 2, 3, 3]).unwrap();
        phases.push(Phase { faults: struck(dice, ill, |_| fault), time: ILL });
        phases.push(Phase::well());
    }
    phases
}

/// Different faults on `ill` of four at once, and on others before these have recovered: who is well rests when the
/// others fall ill.
pub(crate) fn all_over(ill: usize, dice: &mut fastrand::Rng) -> Vec<Phase> {
    let any = |dice: &mut fastrand::Rng| dice.choice(Fault::ALL).unwrap();
    let phases = (0..6).map(|_| Phase { faults: struck(dice, ill, any), time: ILL_LONGER });
    phases.chain([Phase::well()]).collect()
}

fn struck(
    dice: &mut fastrand::Rng,
    count: usize,
    fault: impl Fn(&mut fastrand::Rng) -> Fault,
) -> [Fault; IDS.len()] {
    let mut faults = [Fault::None; IDS.len()];
    faults[..count].fill_with(|| fault(dice));
    dice.shuffle(&mut faults);
    faults
}

/// What happened in each phase.
#[derive(Debug)]
pub(crate) struct Report {
    gateway: Arc<Gateway>,
    seen: Arc<Seen>,
    before: Moment,
    rows: Vec<(String, Moment)>,
}

/// The numbers since the beginning, or between two moments.
#[derive(Debug, Clone, Default)]
struct Moment {
    attempts: usize,
    failed: usize,
    seen: Tally,
}

impl Report {
    pub(crate) fn new(gateway: &Arc<Gateway>, load: &Load) -> Self {
        let (gateway, seen) = (Arc::clone(gateway), Arc::clone(&load.seen));
        Self { gateway, seen, before: Moment::default(), rows: Vec::new() }
    }

    pub(crate) fn ends(&mut self, phase: &Phase) {
        let faults = phase.faults.map(|fault| match fault {
            Fault::None => "-".to_owned(),
            fault => format!("{fault:?}"),
        });
        self.row(faults.join(" "));
    }

    pub(crate) fn rest(&mut self) {
        self.row("all well again".to_owned());
    }

    fn row(&mut self, name: String) {
        let ends = self.gateway.told.ends();
        let failed = ends.iter().filter(|end| end.outcome != Outcome::Success).count();
        let now = Moment { attempts: ends.len(), failed, seen: self.seen.tally() };
        let before = std::mem::replace(&mut self.before, now.clone());
        self.rows.push((name, now.since(&before)));
    }
}

impl Moment {
    fn since(&self, before: &Self) -> Self {
        Self {
            attempts: self.attempts - before.attempts,
            failed: self.failed - before.failed,
            seen: Tally {
                answers: self.seen.answers - before.seen.answers,
                retries: self.seen.retries - before.seen.retries,
                broken_after_content: self.seen.broken_after_content - before.seen.broken_after_content,
                errors: self.seen.errors[before.seen.errors.len()..].to_vec(),
            },
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["attempts", "failed", "retries", "answers", "broken", "errors"];
        let [attempts, failed, retries, answers, broken, errors] = columns;
        writeln!(f, "{attempts:>9}{failed:>8}{retries:>8}{answers:>8}{broken:>8}{errors:>8}")?;
        let total = ("in all".to_owned(), self.before.clone());
        for (name, Moment { attempts, failed, seen }) in self.rows.iter().chain([&total]) {
            let Tally { answers, retries, broken_after_content: broken, errors } = seen;
            let errors = errors.len();
            writeln!(f, "{attempts:>9}{failed:>8}{retries:>8}{answers:>8}{broken:>8}{errors:>8}  {name}")?;
        }
        Ok(())
    }
}
