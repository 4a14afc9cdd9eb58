use std::sync::Arc;
use std::time::Duration;

use super::{ToldUsage, Usage, UsedSecond};
use crate::dice::Dice;
use crate::{DeploymentIndex, Ending, Fleet, Group, Lease, Member, Outcome, Pick, TieBreak, Weight};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn usage(requests: u64, tokens: u64) -> Usage {
    Usage { requests, tokens }
}

/// One deployment, with the clock of an instance that is ahead of the test's by so much.
struct Instance {
    fleet: Arc<Fleet>,
    group: Group,
    deployment: DeploymentIndex,
    ahead: Duration,
}

impl Instance {
    fn ahead(millis: u64) -> Self {
        let fleet = Fleet::new();
        // So that the deployment that is told of is not the first everywhere.
        (0..millis % 3).for_each(|_| _ = fleet.deploy());
        let deployment = fleet.deploy();
        let group = fleet.group(vec![Member::new(deployment, Weight::ONE)], TieBreak::Random);
        Self { fleet, group, deployment, ahead: at(millis) }
    }

    fn begins(&self, now: Duration) -> Lease {
        self.group.pick(&Pick { now: now + self.ahead, ..Pick::default() }).unwrap()
    }

    fn ends(&self, lease: Lease, tokens: u32, now: Duration) {
        lease.end(Ending { tokens, ..Outcome::Success.into() }, now + self.ahead);
    }

    fn usage(&self, now: Duration) -> Usage {
        self.fleet.usage(self.deployment, now + self.ahead)
    }

    fn told(&self, now: Duration) -> Vec<UsedSecond> {
        let told = self.fleet.tell_usage(now + self.ahead);
        told.into_iter()
            .flat_map(|told| {
                assert_eq!(told.deployment, self.deployment);
                told.seconds
            })
            .collect()
    }

    fn sees(&self, others: &[Vec<UsedSecond>], now: Duration) {
        let of = |seconds: &Vec<_>| ToldUsage { deployment: self.deployment, seconds: seconds.clone() };
        self.fleet.see_usage(others.iter().map(of).collect(), now + self.ahead);
    }
}

#[test]
fn a_request_counts_from_the_pick_and_its_tokens_from_its_end() {
    let one = Instance::ahead(0);
    let lease = one.begins(at(1_500));
    assert_eq!(one.usage(at(1_500)), usage(1, 0));
    one.ends(lease, 320, at(31_000));
    assert_eq!(one.usage(at(31_000)), usage(1, 320));
    assert_eq!(one.usage(at(60_999)), usage(1, 320));
    assert_eq!(one.usage(at(61_000)), usage(0, 320), "the second of the pick is a minute old");
    assert_eq!(one.usage(at(90_999)), usage(0, 320));
    assert_eq!(one.usage(at(91_000)), usage(0, 0));
}

#[test]
fn a_request_that_is_dropped_or_refused_was_one_and_a_refused_pick_none() {
    let one = Instance::ahead(0);
    drop(one.begins(at(0)));
    one.begins(at(1)).end(Outcome::RateLimited { retry_after: None }, at(2));
    assert!(one.group.pick(&Pick { tried: &[one.deployment], now: at(3), ..Pick::default() }).is_err());
    assert_eq!(one.usage(at(3)), usage(2, 0));
}

#[test]
fn groups_that_share_a_deployment_share_its_usage() {
    let one = Instance::ahead(0);
    let other = one.fleet.group(vec![Member::new(one.deployment, Weight::ONE)], TieBreak::Random);
    drop(one.begins(at(0)));
    drop(other.pick(&Pick::default()).unwrap());
    assert_eq!(one.usage(at(0)), usage(2, 0));
}

#[test]
fn others_seconds_leave_one_by_one_without_another_telling() {
    let one = Instance::ahead(0);
    drop(one.begins(at(5_000)));
    let second = |age, requests, tokens| UsedSecond { age: at(age), requests, tokens };
    one.sees(&[vec![second(200, 1, 10), second(40_200, 2, 20)], vec![second(59_999, 4, 40)]], at(5_000));
    for (now, requests, tokens) in
        [(5_000, 8, 70), (5_001, 4, 30), (24_799, 4, 30), (24_800, 2, 10), (64_799, 2, 10), (65_000, 0, 0)]
    {
        assert_eq!(one.usage(at(now)), usage(requests, tokens), "at {now} ms");
    }
}

#[test]
fn a_telling_takes_the_place_of_the_one_before() {
    let one = Instance::ahead(0);
    let second = |requests| UsedSecond { age: at(100), requests, tokens: 5 };
    one.sees(&[vec![second(3)]], at(0));
    one.sees(&[vec![second(3)]], at(10));
    assert_eq!(one.usage(at(10)), usage(3, 5), "told twice, counted once");
    one.sees(&[], at(20));
    assert_eq!(one.usage(at(20)), usage(0, 0));
}

#[test]
fn what_cannot_be_is_left_out() {
    let (one, larger) = (Fleet::new(), Fleet::new());
    let deployment = one.deploy();
    let strange = [larger.deploy(), larger.deploy()][1];
    let told = |deployment, age| {
        let second = UsedSecond { age, requests: u32::MAX, tokens: u32::MAX };
        ToldUsage { deployment, seconds: vec![second; 3] }
    };
    let everything = vec![
        told(strange, at(0)),
        told(deployment, at(60_000)),
        told(deployment, Duration::MAX),
        told(deployment, at(0)),
    ];
    one.see_usage(everything, Duration::MAX);
    let all = 3 * u64::from(u32::MAX);
    one.see_usage(vec![told(deployment, at(0))], at(0));
    assert_eq!(one.usage(deployment, at(0)), usage(all, all));
    assert_eq!(one.usage(deployment, at(60_000)), usage(0, 0));
}

#[test]
fn every_instance_sees_the_same_sum_whatever_its_clock_says() {
    // Their seconds begin at other moments, and one has just started.
    let instances = [0, 500_730, 86_400_311].map(Instance::ahead);
    let mut dice = Dice::new(7);
    let mut open: Vec<(usize, Lease)> = Vec::new();
    let mut now = 0;
    let mut most = 0;
    for step in 0..4_000 {
        now += u64::from(dice.below(if step % 500 == 0 { 50_000 } else { 120 }));
        let who = dice.below(3) as usize;
        if dice.below(2) == 0 {
            open.push((who, instances[who].begins(at(now))));
        } else if !open.is_empty() {
            let (who, lease) = open.swap_remove(dice.below(open.len() as u32) as usize);
            instances[who].ends(lease, dice.below(900), at(now));
        }
        if step % 7 != 0 {
            continue;
        }
        let told: Vec<_> = instances.iter().map(|instance| instance.told(at(now))).collect();
        for (who, instance) in instances.iter().enumerate() {
            let others: Vec<_> =
                (0..3).filter(|&other| other != who).map(|other| told[other].clone()).collect();
            instance.sees(&others, at(now));
        }
        let sums = instances.each_ref().map(|instance| instance.usage(at(now)));
        assert_eq!([sums[0]; 3], sums, "step {step}");
        most = most.max(sums[0].tokens);
        // Later, when nobody has told anything more. Instances that start then look ahead, so that those of the run
        // need not.
        for later in [1, 333, 7_777, 59_000, 59_999, 60_000] {
            let sums = instances.each_ref().map(|instance| {
                let copy = Instance::ahead(instance.ahead.as_millis() as u64);
                copy.sees(&told, at(now));
                copy.usage(at(now + later))
            });
            assert_eq!([sums[0]; 3], sums, "step {step}, {later} ms later");
            assert!(later < 60_000 || sums[0] == usage(0, 0));
        }
    }
    assert!(100_000 < most, "too little happened: {most}");
}
