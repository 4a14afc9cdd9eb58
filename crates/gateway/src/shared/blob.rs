//! What an instance tells, as it stands in Redis: JSON that an operator can read with `GET`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use leastbusy_balance::{Answers, Counter, DeploymentIndex, ErrorClass, RampCounts, Told};
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::DeploymentName;

/// The form that this release writes, and the only one that it reads.
const FORM: u8 = 1;

/// No setting makes an instance tell less often than each third of the longest lease; half of it counts as a telling's age.
const EVERY_MAX: Duration = Duration::from_secs(20);

/// What an instance tells, and of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Blob<'a> {
    #[serde(rename = "v")]
    form: u8,
    /// Rises with every telling.
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// Milliseconds between two tellings.
    #[serde(rename = "every")]
    every_ms: u64,
    /// Where it listens.
    #[serde(rename = "at", borrow)]
    pub(super) place: Cow<'a, str>,
    /// Deployments there is something to tell of.
    #[serde(rename = "d")]
    rows: BTreeMap<DeploymentName, Row>,
}

/// In flight, arrivals a second, good answers, answers, failures by class, ramp: what is empty at the end is left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Columns")]
struct Row {
    in_flight: u32,
    arrivals: f64,
    answers: Answers,
}

/// The name of the counter that has no class.
const ANY: &str = "any";

type Failures = Vec<(String, u32)>;
type WrittenRamp = (String, u32, u32, u32);

#[derive(Debug, Default)]
struct Columns(u32, f64, u64, u64, Failures, Vec<WrittenRamp>);

/// Reads the columns that this release knows; a later one may have more.
impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ColumnsVisitor)
    }
}

struct ColumnsVisitor;

impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the columns of a deployment")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut columns: A) -> Result<Columns, A::Error> {
        let in_flight = columns.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let read = Columns(
            in_flight,
            columns.next_element()?.unwrap_or_default(),
            columns.next_element()?.unwrap_or_default(),
            columns.next_element()?.unwrap_or_default(),
            columns.next_element()?.unwrap_or_default(),
            columns.next_element()?.unwrap_or_default(),
        );
        while columns.next_element::<IgnoredAny>()?.is_some() {}
        Ok(read)
    }
}

impl From<Columns> for Row {
    fn from(Columns(in_flight, arrivals, well, all, failures, ramps): Columns) -> Self {
        let failures =
            failures.into_iter().filter_map(|(class, count)| Some((counter(&class)?, count))).collect();
        let ramps = ramps
            .into_iter()
            .filter_map(|(id, successes, failures, begun)| {
                Some((u64::from_str_radix(&id, 16).ok()?, RampCounts { successes, failures, begun }))
            })
            .collect();
        // What is not finite would make every sum so.
        let arrivals = if arrivals.is_finite() { arrivals.max(0.0) } else { 0.0 };
        Self { in_flight, arrivals, answers: Answers { well: well.min(all), all, failures, ramps } }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answers { well, all, failures, ramps } = &self.answers;
        let columns = match (self.arrivals == 0.0, *all == 0, failures.is_empty(), ramps.is_empty()) {
            (_, _, _, false) => 6,
            (_, _, false, true) => 5,
            (_, false, true, true) => 4,
            (false, true, true, true) => 2,
            (true, true, true, true) => 1,
        };
        let mut row = serializer.serialize_seq(Some(columns))?;
        row.serialize_element(&self.in_flight)?;
        if 2 <= columns {
            // Thousandths are more than anybody can measure.
            row.serialize_element(&((self.arrivals * 1000.0).round() / 1000.0))?;
        }
        if 4 <= columns {
            row.serialize_element(well)?;
            row.serialize_element(all)?;
        }
        if 5 <= columns {
            let written: Vec<_> =
                failures.iter().map(|(counter, count)| (name_of(*counter), count)).collect();
            row.serialize_element(&written)?;
        }
        if 6 <= columns {
            let written: Vec<_> = ramps
                .iter()
                .map(|(id, counts)| (format!("{id:x}"), counts.successes, counts.failures, counts.begun))
                .collect();
            row.serialize_element(&written)?;
        }
        row.end()
    }
}

fn name_of(counter: Counter) -> &'static str {
    match counter {
        Counter::Any => ANY,
        Counter::Class(class) => ErrorClass::ALL[class as usize].1,
    }
}

fn counter(name: &str) -> Option<Counter> {
    let class = || ErrorClass::ALL.iter().find(|(_, known)| *known == name).map(|(class, _)| *class);
    if name == ANY { Some(Counter::Any) } else { class().map(Counter::Class) }
}

/// What the deployments of a fleet are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: HashMap<DeploymentIndex, DeploymentName>,
    deployments: HashMap<DeploymentName, DeploymentIndex>,
}

impl Names {
    pub(super) fn new(names: impl IntoIterator<Item = (DeploymentIndex, DeploymentName)>) -> Self {
        let names: HashMap<_, _> = names.into_iter().collect();
        let deployments = names.iter().map(|(deployment, name)| (*name, *deployment)).collect();
        Self { names, deployments }
    }

    pub(super) fn of(&self, deployment: DeploymentIndex) -> Option<DeploymentName> {
        self.names.get(&deployment).copied()
    }

    pub(super) fn deployment(&self, name: DeploymentName) -> Option<DeploymentIndex> {
        self.deployments.get(&name).copied()
    }
}

impl<'a> Blob<'a> {
    pub(super) fn new(number: u64, every: Duration, place: &'a str, told: Vec<Told>, names: &Names) -> Self {
        let rows = told.into_iter().filter_map(|told| {
            let row = Row { in_flight: told.in_flight, arrivals: told.arrivals, answers: told.answers };
            Some((names.of(told.deployment)?, row))
        });
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        Self { form: FORM, number, every_ms, place: Cow::Borrowed(place), rows: rows.collect() }
    }

    pub(super) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps of numbers under text keys are JSON")
    }

    /// `None` where it is no blob, or one of another form.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|blob: &Self| blob.form == FORM)
    }

    pub(super) fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms).min(EVERY_MAX)
    }

    /// What it tells of the deployments that this fleet has, too.
    pub(super) fn told(self, names: &Names) -> Vec<Told> {
        let rows = self.rows.into_iter();
        rows.filter_map(|(name, Row { in_flight, arrivals, answers })| {
            Some(Told { deployment: names.deployment(name)?, in_flight, arrivals, answers })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
