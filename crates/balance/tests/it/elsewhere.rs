//! What one instance learns of a deployment counts at all of them: rests, answers, failures that are tolerated.

use std::time::Duration;

use leastbusy_balance::{HealthRules, News, Outcome, Pick, Rest, Standing, Tolerance};

use crate::crowd::Crowd;

fn asks_for(seconds: u64) -> Outcome {
    Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

fn crowd(instances: usize) -> Crowd {
    Crowd::of(instances, 2, &HealthRules::default())
}

fn rests_for(crowd: &Crowd, seconds: f64) -> News {
    let until = Duration::from_secs_f64(crowd.now.as_secs_f64() + seconds);
    News::Rests(Rest { until, reason: Some(Outcome::ServerError), status: Some(500), relapses: 0 })
}

#[test]
fn a_rest_counts_at_all_instances_until_the_later_deadline() {
    for (first, second) in [(7, 3), (3, 7)] {
        let mut crowd = crowd(3);
        crowd.answers(0, 0, asks_for(first));
        crowd.answers(1, 0, asks_for(second));
        assert_eq!(crowd.rests(0), [Some(first as f64), Some(second as f64), None]);
        crowd.exchange();
        assert_eq!(crowd.rests(0), [Some(7.0); 3], "clocks differ by minutes");
        assert_eq!(crowd.rests(1), [None; 3]);
        // Told once more, and shorter ones: nothing changes.
        crowd.instances.iter().for_each(|one| one.fleet.repeat_news(one.clock(crowd.now)));
        crowd.exchange();
        crowd.learn(0, 0, &rests_for(&crowd, 1.0));
        assert_eq!(crowd.rests(0), [Some(7.0); 3]);
        let cooldown = crowd.condition(2, 0).cooldown.expect("it rests");
        assert!(matches!(cooldown.reason, Outcome::RateLimited { .. }));
    }
}

#[test]
fn the_reason_is_that_of_the_rest_that_lasts_longest() {
    for (first, second) in [(9.0, 4.0), (4.0, 9.0)] {
        let crowd = crowd(1);
        for seconds in [first, second] {
            let until = Duration::from_secs_f64(crowd.now.as_secs_f64() + seconds);
            let status = if seconds == 9.0 { 503 } else { 401 };
            let reason = Some(if seconds == 9.0 { Outcome::ServerError } else { Outcome::Authentication });
            crowd.learn(0, 0, &News::Rests(Rest { until, reason, status: Some(status), relapses: 0 }));
        }
        let cooldown = crowd.condition(0, 0).cooldown.expect("it rests");
        assert_eq!((cooldown.reason, cooldown.status), (Outcome::ServerError, Some(503)), "{first}");
        assert_eq!(crowd.rests(0), [Some(9.0)]);
    }
}

#[test]
fn news_is_told_once() {
    let crowd = crowd(2);
    crowd.answers(0, 0, asks_for(7));
    assert!(matches!(crowd.news(0, 0), Some(News::Rests(_))));
    assert_eq!(crowd.news(0, 0), None);
    crowd.fleet(0).repeat_news(crowd.instances[0].clock(crowd.now));
    assert!(matches!(crowd.news(0, 0), Some(News::Rests(_))));
}

#[test]
fn a_rest_that_is_over_is_probed_by_one_who_hears_of_it_first_then() {
    let crowd = crowd(1);
    crowd.learn(0, 0, &rests_for(&crowd, -3.0));
    assert_eq!(crowd.standings(0), [Standing::Probing]);
    assert!(crowd.pick(0, 0).is_probe());
}

#[test]
fn a_rest_that_is_over_is_no_news_to_one_who_serves_there() {
    let crowd = crowd(1);
    crowd.serves(0, 0);
    crowd.learn(0, 0, &rests_for(&crowd, -0.5));
    assert_eq!(crowd.standings(0), [Standing::Available]);
    // One that lasts is.
    crowd.learn(0, 0, &rests_for(&crowd, 0.5));
    assert_eq!(crowd.standings(0), [Standing::CoolingDown]);
}

#[test]
fn a_rest_that_is_over_is_no_news_to_one_who_knows_of_the_return() {
    let mut crowd = crowd(1);
    crowd.answers(0, 0, asks_for(5));
    let rest = crowd.news(0, 0).expect("it rests");
    crowd.later(5.0);
    let mut probe = crowd.pick(0, 0);
    crowd.learn(0, 0, &rest);
    let told_during_the_probe = crowd.instances[0].pick(Some(0), crowd.now);
    assert!(told_during_the_probe.is_none(), "its probe is still out, and the only one");
    probe.answered(crowd.instances[0].clock(crowd.now));
    crowd.learn(0, 0, &rest);
    assert_eq!(crowd.standings(0), [Standing::Ramping]);
    // A later one is news, however late it is heard.
    crowd.later(3.0);
    crowd.learn(0, 0, &rests_for(&crowd, -1.0));
    assert_eq!(crowd.standings(0), [Standing::Probing]);
}

#[test]
fn a_rest_from_elsewhere_takes_the_place_of_what_was_not_told_yet() {
    let mut crowd = crowd(2);
    crowd.answers(0, 0, asks_for(5));
    crowd.news(0, 0);
    crowd.later(5.0);
    crowd.serves(0, 0);
    crowd.learn(0, 0, &rests_for(&crowd, 9.0));
    assert_eq!(crowd.news(0, 0), None, "the return is from before the rest");
    assert_eq!(crowd.rests(0)[0], Some(9.0));
}

#[test]
fn failures_elsewhere_lower_the_weight_until_their_instance_leaves() {
    let mut crowd = crowd(2);
    // Half of ten fail, one every second: too few to rest it.
    for second in 0..5 {
        crowd.serves(0, 0);
        crowd.answers(0, 0, Outcome::ServerError);
        (0..2).for_each(|_| crowd.serves(0, 1));
        crowd.later(f64::from(second) * 0.2);
    }
    crowd.later(1.0);
    let share = |crowd: &Crowd| {
        let instance = crowd.instances.last().expect("one is left");
        let now = instance.clock(crowd.now);
        let leases: Vec<_> = (0..60)
            .map(|dice| instance.group.pick(&Pick { dice, now, ..Pick::default() }).expect("nothing rests"))
            .collect();
        leases.iter().filter(|lease| lease.member() == 0).count()
    };
    assert_eq!(share(&crowd), 30, "it has not heard yet");
    crowd.exchange();
    assert_eq!(crowd.standings(0), [Standing::Available; 2]);
    assert!((crowd.condition(1, 0).success_rate - 0.5).abs() < 1e-9);
    // (5 + 5) / (10 + 5) squared is 0.44: 18 of 60.
    let lowered = share(&crowd);
    assert!((17..=20).contains(&lowered), "{lowered}");
    let gone = crowd.instances.remove(0);
    crowd.later(2.0);
    crowd.exchange();
    drop(gone);
    assert_eq!((share(&crowd), crowd.condition(0, 0).success_rate), (30, 1.0));
}

#[test]
fn tolerated_failures_are_counted_over_all_instances() {
    let tolerance = Tolerance { any: Some(3), ..Tolerance::default() };
    let rules = HealthRules { tolerance, ..HealthRules::default() };
    let failed = |crowd: &Crowd, at| crowd.answers(at, 0, Outcome::ServerError);
    let rested = |crowd: &Crowd| crowd.rests(0).iter().map(Option::is_some).collect::<Vec<_>>();

    let mut crowd = Crowd::of(3, 2, &rules);
    failed(&crowd, 0);
    failed(&crowd, 1);
    crowd.exchange();
    failed(&crowd, 2);
    assert_eq!(rested(&crowd), [false; 3], "three of three are tolerated");
    crowd.exchange();
    failed(&crowd, 0);
    assert_eq!(rested(&crowd), [true, false, false], "the fourth is not");
    crowd.exchange();
    assert_eq!(rested(&crowd), [true; 3]);

    // The failures of one that has left are forgotten with it.
    let mut crowd = Crowd::of(2, 2, &rules);
    (0..3).for_each(|_| failed(&crowd, 0));
    crowd.exchange();
    let gone = crowd.instances.remove(0);
    crowd.later(2.0);
    crowd.exchange();
    drop(gone);
    (0..3).for_each(|_| failed(&crowd, 0));
    assert_eq!(rested(&crowd), [false]);
    failed(&crowd, 0);
    assert_eq!(rested(&crowd), [true]);

    // And each after its window, wherever it was seen.
    let mut crowd = Crowd::of(2, 2, &rules);
    (0..3).for_each(|_| failed(&crowd, 0));
    crowd.later(60.0);
    crowd.exchange();
    failed(&crowd, 1);
    assert_eq!(rested(&crowd), [false; 2]);
}
