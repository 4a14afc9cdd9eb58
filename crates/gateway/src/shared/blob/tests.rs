use std::time::Duration;

use leastbusy_balance::{
    Answers, Counter, DeploymentIndex, ErrorClass, Fleet, InstanceId, RampCounts, Roster, Told,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Blob, EVERY_MAX, Names};
use crate::shared::name::DeploymentName;

const SECOND: Duration = Duration::from_secs(1);

/// So many deployments, and what they are called.
fn deployments(number: usize) -> (Vec<DeploymentIndex>, Names) {
    let fleet = Fleet::new();
    let all: Vec<_> = (0..number).map(|_| fleet.deploy()).collect();
    let name = |at: usize| DeploymentName::of(&format!("http://engine-{at}:8000 model"));
    let names = Names::new(all.iter().enumerate().map(|(at, deployment)| (*deployment, name(at))));
    (all, names)
}

fn name_of(names: &Names, deployment: DeploymentIndex) -> String {
    names.of(deployment).unwrap().to_string()
}

fn answers() -> impl Strategy<Value = Answers> {
    let counters: Vec<_> =
        ErrorClass::ALL.iter().map(|(class, _)| Counter::Class(*class)).chain([Counter::Any]).collect();
    let failures = vec((prop::sample::select(counters), any::<u32>()), 0..3);
    let ramps = vec(
        (any::<u64>(), any::<[u32; 3]>())
            .prop_map(|(id, [successes, failures, begun])| (id, RampCounts { successes, failures, begun })),
        0..2,
    );
    (any::<u64>(), any::<u64>(), failures, ramps).prop_map(|(a, b, failures, ramps)| Answers {
        well: a.min(b),
        all: a.max(b),
        failures,
        ramps,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        (number, every) in (any::<u64>(), 0..20_000_u64),
        place in any::<String>(),
        rows in vec((any::<u32>(), 0..1_000_000_000_u64, answers()), 0..20),
    ) {
        let (all, names) = deployments(rows.len());
        let told: Vec<_> = all
            .into_iter()
            .zip(rows)
            .map(|(deployment, (in_flight, thousandths, answers))| Told {
                deployment,
                in_flight,
                arrivals: thousandths as f64 / 1000.0,
                answers,
            })
            .collect();
        let every = Duration::from_millis(every);
        let written = Blob::new(number, every, &place, told.clone(), &names).written();
        let blob = Blob::read(&written).unwrap();
        prop_assert_eq!((blob.number, blob.every(), &*blob.place), (number, every, &*place));
        let mut read = blob.told(&names);
        read.sort_by_key(|told| told.deployment);
        prop_assert_eq!(read, told);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Blob::read(&bytes);
    }

    /// A blob of which a part was overwritten, or that ends too soon.
    #[test]
    fn a_broken_blob_is_read_or_not_but_never_more_than_that(
        at in any::<prop::sample::Index>(),
        with in vec(any::<u8>(), 0..8),
        end in any::<prop::sample::Index>(),
    ) {
        let (all, names) = deployments(3);
        let told = all.iter().map(|deployment| ordinary(*deployment)).collect();
        let mut written = Blob::new(1, SECOND, "here", told, &names).written();
        let at = at.index(written.len());
        written.splice(at..(at + with.len()).min(written.len()), with);
        for bytes in [&written[..], &written[..end.index(written.len())]] {
            if let Some(blob) = Blob::read(bytes) {
                hear(blob, &names, &all);
            }
        }
    }
}

fn ordinary(deployment: DeploymentIndex) -> Told {
    let answers = Answers { well: 1217, all: 1234, ..Answers::default() };
    Told { deployment, in_flight: 17, arrivals: 123.456, answers }
}

/// Has a fleet go by what a blob tells, twice over, and looks at what comes of it.
fn hear(blob: Blob<'_>, names: &Names, all: &[DeploymentIndex]) {
    let fleet = Fleet::new();
    all.iter().for_each(|_| assert!(all.contains(&fleet.deploy())));
    let every = blob.every();
    assert!(every <= EVERY_MAX);
    let told = blob.told(names);
    let mut roster = Roster::new(InstanceId(1), SECOND);
    for other in [2, 3] {
        roster.heard(InstanceId(other), 1, every, told.clone(), SECOND);
    }
    fleet.see(roster.view(SECOND), SECOND);
    for deployment in all {
        assert!(fleet.in_flight(*deployment) <= fleet.in_flight_total(*deployment));
        assert_eq!(fleet.condition(*deployment, SECOND).in_flight, 0);
    }
}

#[test]
fn a_later_release_may_tell_more() {
    let (all, names) = deployments(2);
    let (first, second) = (name_of(&names, all[0]), name_of(&names, all[1]));
    let text = format!(
        r#"{{"v":1,"n":7,"every":20,"at":"there","new":{{"a":[1]}},"d":{{
            "{first}":[3,1.5,8,9,[["any",2],["SolarFlareError",4]],[["ff",1,2,3]],{{"more":[1,2]}},null],
            "{second}":[4],"ffffffffffff":[5]}}}}"#
    );
    let told = Blob::read(text.as_bytes()).unwrap().told(&names);
    let answers = Answers {
        well: 8,
        all: 9,
        failures: vec![(Counter::Any, 2)],
        ramps: vec![(255, RampCounts { successes: 1, failures: 2, begun: 3 })],
    };
    let none = Answers::default();
    let mut expected = [
        Told { deployment: all[0], in_flight: 3, arrivals: 1.5, answers },
        Told { deployment: all[1], in_flight: 4, arrivals: 0.0, answers: none },
    ];
    let mut told = told;
    told.sort_by_key(|told| told.deployment);
    expected.sort_by_key(|told| told.deployment);
    assert_eq!(told, expected, "what this release does not know is left out");
}

#[test]
fn what_is_no_telling_is_not_read() {
    let (all, names) = deployments(1);
    let name = name_of(&names, all[0]);
    let deep = "[".repeat(10_000);
    let rows = [
        "[]",
        "[-1]",
        "[4294967296]",
        "[1.5]",
        "[1e999]",
        "[NaN]",
        "[null]",
        "[\"1\"]",
        "{}",
        "7",
        "null",
        "[1,null]",
        "[1,1,-1,1]",
        "[1,1,1,1,[[\"any\",-1]]]",
        "[1,1,1,1,[],[[\"ff\",1,2]]]",
        &deep,
    ];
    for row in rows {
        let text = format!(r#"{{"v":1,"n":7,"every":20,"at":"","d":{{"{name}":{row}}}}}"#);
        assert!(Blob::read(text.as_bytes()).is_none(), "{}", &text[..text.len().min(99)]);
    }
    let wholes = [
        "",
        "null",
        "[]",
        "\u{0}",
        "{}",
        r#"{"v":2,"n":1,"every":1,"at":"","d":{}}"#,
        r#"{"v":1,"n":-1,"every":1,"at":"","d":{}}"#,
        r#"{"v":1,"n":1,"every":1,"at":"","d":[]}"#,
        r#"{"v":1,"n":1,"every":1,"at":"","d":{"no name":[1]}}"#,
    ];
    for whole in wholes {
        assert!(Blob::read(whole.as_bytes()).is_none(), "{whole}");
    }
}

#[test]
fn the_largest_numbers_do_no_harm() {
    let (all, names) = deployments(1);
    let name = name_of(&names, all[0]);
    let (most, all_answers) = (u32::MAX, u64::MAX);
    let row = format!(
        r#"[{most},1e308,{all_answers},{all_answers},[["any",{most}],["any",{most}]],[["ff",{most},{most},{most}]]]"#
    );
    let text = format!(r#"{{"v":1,"n":{all_answers},"every":{all_answers},"at":"","d":{{"{name}":{row}}}}}"#);
    hear(Blob::read(text.as_bytes()).unwrap(), &names, &all);
}

#[test]
fn megabytes_are_read_in_their_time() {
    let rows: Vec<_> = (0..100_000).map(|at| format!(r#""{at:012x}":[1,2.5]"#)).collect();
    let text = format!(r#"{{"v":1,"n":1,"every":1,"at":"","d":{{{}}}}}"#, rows.join(","));
    let (all, names) = deployments(1);
    assert!(2_000_000 < text.len());
    hear(Blob::read(text.as_bytes()).unwrap(), &names, &all);
}

#[test]
fn sixteen_deployments_fit_into_a_packet() {
    let (all, names) = deployments(16);
    let size = |told: Vec<Told>| {
        Blob::new(1_000_000, SECOND / 50, "gateway-7c6d9 0.0.0.0:4000", told, &names).written().len()
    };
    let idle = size(Vec::new());
    let busy = size(all.iter().map(|deployment| ordinary(*deployment)).collect());
    let returning = size(
        all.iter()
            .map(|deployment| {
                let ramps = vec![(u64::MAX, RampCounts { successes: 1234, failures: 1, begun: 1234 })];
                let failures = vec![(Counter::Any, 12), (Counter::Class(ErrorClass::RateLimit), 12)];
                let Told { answers, .. } = ordinary(*deployment);
                Told { answers: Answers { failures, ramps, ..answers }, ..ordinary(*deployment) }
            })
            .collect(),
    );
    eprintln!(
        "{idle} bytes with nothing to tell, {busy} with 16 busy deployments, {returning} with 16 that return"
    );
    // A TCP segment of an Ethernet carries 1448.
    assert!(idle <= 100 && busy <= 700 && returning <= 2300, "{idle}, {busy}, {returning}");
}
