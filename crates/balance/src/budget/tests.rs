use std::time::Duration;

use super::{RetryBudget, RetryLedger};

fn second(second: u64) -> Duration {
    Duration::from_secs(second)
}

/// How many retries in a row the ledger allows.
fn retries(ledger: &mut RetryLedger, now: Duration) -> usize {
    (0..10_000).take_while(|_| ledger.try_retry(now)).count()
}

#[test]
fn without_successes_only_the_floor_is_allowed() {
    let mut ledger = RetryLedger::new(RetryBudget::default());
    assert_eq!(retries(&mut ledger, second(0)), 100, "10 a second for 10 s");
    assert_eq!(retries(&mut ledger, second(9)), 0);
    assert_eq!(retries(&mut ledger, second(10)), 100, "the window has moved on");
}

#[test]
fn every_fifth_success_earns_a_retry_for_ten_seconds() {
    let mut ledger = RetryLedger::new(RetryBudget { share: 0.2, per_second: 0.0 });
    assert_eq!(retries(&mut ledger, second(0)), 0);
    (0..1000).for_each(|_| ledger.success(second(1)));
    assert_eq!(retries(&mut ledger, second(2)), 200);
    assert_eq!(retries(&mut ledger, second(10)), 0, "spent, and the successes still count");
    assert_eq!(retries(&mut ledger, second(11)), 0, "the successes are forgotten");
    (0..5).for_each(|_| ledger.success(second(12)));
    assert_eq!(retries(&mut ledger, second(12)), 1);
}

#[test]
fn a_refused_retry_costs_nothing() {
    let mut ledger = RetryLedger::new(RetryBudget { share: 1.0, per_second: 0.1 });
    assert_eq!(retries(&mut ledger, second(0)), 1);
    (0..50).for_each(|_| assert!(!ledger.try_retry(second(1))));
    ledger.success(second(1));
    assert_eq!(retries(&mut ledger, second(1)), 1);
}

#[test]
fn an_outage_cannot_multiply_the_load() {
    // 1000 requests a second, all of which fail and would like two retries: the load grows by a hundredth.
    let mut ledger = RetryLedger::new(RetryBudget::default());
    let mut spent = 0;
    for request in 0..60_000_u64 {
        let now = Duration::from_millis(request);
        spent += (0..2).take_while(|_| ledger.try_retry(now)).count();
    }
    assert_eq!(spent, 600);
}

#[test]
fn settings_that_mean_nothing_allow_nothing() {
    for share in [f64::NAN, -1.0, 0.0] {
        let mut ledger = RetryLedger::new(RetryBudget { share, per_second: 0.0 });
        ledger.success(second(0));
        assert_eq!(retries(&mut ledger, second(0)), 0, "share {share}");
    }
    let mut unlimited = RetryLedger::new(RetryBudget::UNLIMITED);
    assert_eq!(retries(&mut unlimited, second(0)), 10_000);
}
