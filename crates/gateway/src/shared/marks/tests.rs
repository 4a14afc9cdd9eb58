use std::time::Duration;

use leastbusy_balance::{DeploymentIndex, Fleet, InstanceId, Learned, Outcome, Rest};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Marks, ReadMarks};
use crate::shared::blob::Names;
use crate::shared::name::{self, DeploymentName};

const ME: InstanceId = InstanceId(1);
const OTHER: InstanceId = InstanceId(2);
const NOW: Duration = Duration::from_secs(500);
/// The server's time then: it has nothing to do with ours.
const SERVER: f64 = 1.7e12;

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// An instance that reads marks of its only deployment.
struct Reader {
    marks: Marks,
    fleet: std::sync::Arc<Fleet>,
    deployment: DeploymentIndex,
    names: Names,
    name: DeploymentName,
}

impl Reader {
    fn new() -> Self {
        let fleet = Fleet::new();
        let (deployment, name) = (fleet.deploy(), DeploymentName::of("engine"));
        Self { marks: Marks::default(), deployment, names: Names::new([(deployment, name)]), name, fleet }
    }

    fn reads(&mut self, server_ms: f64, json: &str) -> Option<Learned> {
        self.reads_bytes(server_ms, json.as_bytes())
    }

    fn reads_bytes(&mut self, server_ms: f64, json: &[u8]) -> Option<Learned> {
        let read = ReadMarks { server_ms, written: vec![(self.name.to_string(), json.to_vec())] };
        let news = self.marks.news(&read, NOW, ME, &self.names);
        assert!(news.iter().all(|(deployment, _)| *deployment == self.deployment) && news.len() <= 1);
        for (deployment, learned) in &news {
            self.fleet.learn(*deployment, learned, NOW);
        }
        news.into_iter().next().map(|(_, learned)| learned)
    }
}

/// A rest that was noted at `noted` and lasts until `until`, in seconds after [`SERVER`].
fn rest(noted: f64, until: f64, by: InstanceId) -> String {
    let (number, until, by) = (SERVER + noted * 1e3, SERVER + until * 1e3, name::written(by));
    format!(
        r#"{{"n":{number},"by":"{by}","phase":"resting","until":{until},"reason":"server_error","status":500,"relapses":2,"new":[]}}"#
    )
}

fn rests(until: f64) -> Option<Learned> {
    let reason = Some(Outcome::ServerError);
    Some(Learned::Rests(Rest { until: NOW + secs(until), reason, status: Some(500), relapses: 2 }))
}

#[test]
fn each_change_is_taken_in_once_unless_it_is_ones_own() {
    let mut reader = Reader::new();
    assert_eq!(reader.reads(SERVER, &rest(-1.0, 5.0, OTHER)), rests(5.0));
    assert_eq!(reader.reads(SERVER + 1e3, &rest(-1.0, 5.0, OTHER)), None);
    assert_eq!(reader.reads(SERVER + 2e3, &rest(2.0, 9.0, OTHER)), rests(7.0));
    assert_eq!(reader.reads(SERVER + 3e3, &rest(3.0, 20.0, ME)), None);
    assert_eq!(reader.reads(SERVER + 4e3, &rest(3.5, 30.0, InstanceId(77))), rests(26.0), "an earlier run's");
    let mut fresh = Reader::new();
    let ramp = format!(r#"{{"n":1,"by":"x","phase":"returning","ramp":"ff","since":{}}}"#, SERVER - 3e3);
    let returns = Learned::Returns { ramp: 255, since: NOW - secs(3.0) };
    assert_eq!(fresh.reads(SERVER, &ramp), Some(returns));
}

#[test]
fn a_replica_that_lags_behind_tells_nothing_new() {
    let mut reader = Reader::new();
    reader.reads(SERVER, &rest(0.0, 5.0, OTHER));
    assert_eq!(reader.reads(SERVER + 2e3, &rest(-3.0, 60.0, OTHER)), None);
    assert_eq!(reader.reads(SERVER + 3e3, &rest(3.0, 9.0, OTHER)), rests(6.0));
}

#[test]
fn a_server_whose_clock_was_set_back_is_believed_at_once() {
    let mut reader = Reader::new();
    reader.reads(SERVER, &rest(0.0, 5.0, OTHER));
    let hour = 3600.0;
    // The same mark is no news, and what is new has a number from an hour before.
    assert_eq!(reader.reads(SERVER - hour * 1e3, &rest(0.0, 5.0, OTHER)), None);
    assert_eq!(reader.reads(SERVER - hour * 1e3, &rest(-hour, 7.0 - hour, OTHER)), rests(7.0));
    // Who comes later rests it for as long as it was meant to rest, not for an hour more.
    assert_eq!(Reader::new().reads(SERVER - hour * 1e3, &rest(0.0, 5.0, OTHER)), rests(5.0));
}

#[test]
fn a_broken_mark_rests_nothing_for_ever() {
    let mark = |until: &str| format!(r#"{{"n":1,"by":"x","phase":"resting","until":{until}}}"#);
    for until in ["1e308", "9999999999999999"] {
        let Some(Learned::Rests(rest)) = Reader::new().reads(SERVER, &mark(until)) else { panic!("{until}") };
        assert!(rest.until <= NOW + secs(30.0 * 86_400.0), "{until}: {rest:?}");
    }
    for until in ["-1e308", "0"] {
        let Some(Learned::Rests(rest)) = Reader::new().reads(SERVER, &mark(until)) else { panic!("{until}") };
        assert_eq!(rest.until, NOW, "{until}");
    }
    let broken = [
        "",
        "null",
        "[]",
        "{}",
        r#"{"n":1}"#,
        r#"{"n":-1,"by":"x","phase":"resting","until":1}"#,
        r#"{"n":1,"by":"x","phase":"hibernating"}"#,
        r#"{"n":1,"by":"x","phase":"resting","until":null}"#,
        r#"{"n":1,"by":"x","phase":"resting","until":1e999}"#,
        r#"{"n":1,"by":"x","phase":"returning","ramp":"no","since":1}"#,
        r#"{"n":1,"by":7,"phase":"resting","until":1}"#,
        r#"{"n":1,"by":"x","phase":"resting","until":1,"status":70000}"#,
    ];
    for json in broken {
        assert_eq!(Reader::new().reads(SERVER, json), None, "{json}");
    }
}

#[test]
fn relapses_without_end_only_double_up_to_the_longest_rest() {
    let mut reader = Reader::new();
    let most = rest(0.0, 5.0, OTHER).replace(r#""relapses":2"#, r#""relapses":4294967295"#);
    assert!(reader.reads(SERVER, &most).is_some());
    let member = leastbusy_balance::Member::new(reader.deployment, leastbusy_balance::Weight::ONE);
    let other = reader.fleet.deploy();
    let other = leastbusy_balance::Member::new(other, leastbusy_balance::Weight::ONE);
    let group = reader.fleet.group(vec![member, other], leastbusy_balance::TieBreak::First);
    // The probe after it fails, which is one relapse more.
    let now = NOW + secs(6.0);
    let lease = group.pick(&leastbusy_balance::Pick { now, ..Default::default() }).unwrap();
    assert!(lease.is_probe());
    let until = lease.end(Outcome::ConnectionFailed, now).unwrap();
    assert_eq!(until - now, leastbusy_balance::HealthRules::default().max_cooldown_time);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(SERVER)]
}

proptest! {
    #[test]
    fn no_mark_makes_it_panic(bytes in vec(any::<u8>(), 0..100), numbers in [number(), number(), number()], phase in any::<bool>()) {
        let mut reader = Reader::new();
        reader.reads_bytes(numbers[0], &bytes);
        let phase = if phase { "resting" } else { "returning" };
        let [server, number, time] = numbers;
        reader.reads(server, &format!(
            r#"{{"n":{number:?},"by":"x","phase":"{phase}","until":{time:?},"since":{time:?},"ramp":"1"}}"#
        ));
        reader.reads(server, &format!(
            r#"{{"n":7,"by":"x","phase":"{phase}","until":{time:?},"since":{time:?},"ramp":"1"}}"#
        ));
    }
}
