//! A Redis of the tests: the keys that a namespace has, on a clock that the test sets, and what the scripts do to them.

use std::collections::BTreeMap;
use std::time::Duration;

use leastbusy_balance::{InstanceId, Rest};
use serde::Serialize;

use crate::shared::exchange::{Note, Reply, Turn};
use crate::shared::marks::ReadMarks;
use crate::shared::name::{self, DeploymentName};

const MARK_KEPT_MS: u64 = 600_000;

/// All that is kept. A clone is a replica that lags behind from then on.
#[derive(Debug, Clone, Default)]
pub(super) struct Board {
    tellings: BTreeMap<InstanceId, (Vec<u8>, u64)>,
    members: BTreeMap<String, u64>,
    version: u64,
    marks: BTreeMap<DeploymentName, Mark>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Mark {
    n: u64,
    by: String,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp: Option<String>,
    relapses: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prober: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probing: Option<u64>,
}

impl Board {
    /// Executes a turn when the server's clock shows `now_ms`.
    pub(super) fn take(&mut self, now_ms: u64, me: InstanceId, turn: &Turn) -> Reply {
        self.tellings.insert(me, (turn.telling.clone(), now_ms + millis(turn.lease)));
        let mut rights = Vec::new();
        for (deployment, note) in &turn.notes {
            let answer = self.note(now_ms, me, *deployment, note);
            if let Note::Probe { .. } = note {
                rights.push(Duration::from_millis(answer));
            }
        }
        let version = self.version;
        let tellings = turn.read.iter().map(|id| self.telling(now_ms, *id)).collect();
        let members = turn.roll_call.then(|| self.roll_call(now_ms, me, millis(turn.lease)));
        let marks = turn.marks.then(|| self.marks(now_ms));
        Reply { tellings, version, members, marks, rights }
    }

    pub(super) fn telling(&self, now_ms: u64, id: InstanceId) -> Option<Vec<u8>> {
        self.tellings.get(&id).filter(|(_, ends)| now_ms < *ends).map(|(telling, _)| telling.clone())
    }

    pub(super) fn note(&mut self, now: u64, me: InstanceId, deployment: DeploymentName, note: &Note) -> u64 {
        let me = name::written(me);
        let known = self.marks.get(&deployment).filter(|mark| mark.n <= now + 1000).cloned();
        let ends = known.as_ref().and_then(|mark| mark.until).unwrap_or(0);
        let phase = known.as_ref().map_or("", |mark| mark.phase);
        let prober = known.as_ref().filter(|mark| mark.probing.is_some_and(|until| now < until));
        let prober = prober.and_then(|mark| mark.prober.clone());
        let is_anothers = prober.is_some_and(|prober| prober != me);
        let number = known.as_ref().map_or(0, |mark| mark.n);
        let next = (number + 1).max(now);
        let new = match note {
            Note::Rests { remaining, rest: Rest { reason, status, relapses, .. } } => {
                let until = now + millis(*remaining);
                if phase == "resting" && until <= ends + 100 {
                    return 0;
                }
                let (reason, status) = (reason.map(|reason| reason.name()), *status);
                let (until, relapses) = (Some(until), *relapses);
                Mark { n: next, by: me, phase: "resting", until, relapses, reason, status, ..Mark::default() }
            }
            Note::Probe { hold } => {
                let hold = millis(*hold);
                if now < ends || is_anothers || (phase == "returning" && now < number + hold) {
                    return 0;
                }
                let fresh =
                    || Mark { n: now, by: me.clone(), phase: "resting", until: Some(now), ..Mark::default() };
                let mut mark = known.unwrap_or_else(fresh);
                (mark.prober, mark.probing) = (Some(me), Some(now + hold));
                self.marks.insert(deployment, mark);
                return hold;
            }
            Note::Returns { ramp: ramp_id, age } => {
                let since = now - millis(*age);
                let ramp = format!("{ramp_id:x}");
                let is_older = phase == "resting" && since < number;
                let goes_by_another = phase == "returning"
                    && known.as_ref().is_some_and(|mark| {
                        let began = mark.since.expect("it returns");
                        let known = u64::from_str_radix(mark.ramp.as_ref().expect("it returns"), 16);
                        since.abs_diff(began) <= 1000 && known.expect("it was written here") <= *ramp_id
                    });
                if is_anothers || is_older || goes_by_another {
                    return 0;
                }
                let (since, ramp) = (Some(since), Some(ramp));
                Mark { n: next, by: me, phase: "returning", since, ramp, ..Mark::default() }
            }
        };
        self.marks.insert(deployment, new);
        self.version += 1;
        1
    }

    pub(super) fn roll_call(&mut self, now: u64, me: InstanceId, lease: u64) -> Vec<String> {
        let before = self.members.len();
        self.members.retain(|_, seen| now < *seen + lease && *seen < now + lease);
        let is_new = self.members.insert(name::written(me), now).is_none();
        if is_new || self.members.len() < before {
            self.version += 1;
        }
        // As a sorted set has them.
        let mut all: Vec<_> = self.members.iter().map(|(id, seen)| (*seen, id.clone())).collect();
        all.sort();
        all.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn marks(&mut self, now: u64) -> ReadMarks {
        self.marks.retain(|_, mark| {
            now <= mark.until.or(mark.since).expect("each phase has a time of its own") + MARK_KEPT_MS
        });
        let written = self.marks.iter().map(|(deployment, mark)| {
            (deployment.to_string(), serde_json::to_vec(mark).expect("texts and numbers are JSON"))
        });
        ReadMarks { server_ms: now as f64, written: written.collect() }
    }

    pub(super) fn leave(&mut self, me: InstanceId) {
        self.tellings.remove(&me);
        self.members.remove(&name::written(me));
        self.version += 1;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a test's times are short")
}
