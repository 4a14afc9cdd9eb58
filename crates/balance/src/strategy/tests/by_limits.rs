//! Lowest usage and lowest cost.

use std::time::Duration;

use super::stage::{Stage, on_terms};
use crate::TieBreak;
use crate::strategy::{Strategy, Terms};

fn limits(rpm: Option<u64>, tpm: Option<u64>) -> Terms {
    Terms { rpm, tpm, cost: None }
}

fn costs(cost: Option<f64>) -> Terms {
    Terms { cost, ..Terms::default() }
}

#[test]
fn usage_goes_to_whoever_took_the_fewest_tokens_in_the_last_minute() {
    let mut stage = Stage::of_equals(Strategy::LowestUsage, 3);
    for (member, tokens) in [(0, 300), (1, 100), (2, 200)] {
        stage.answers(member, 10, tokens);
    }
    assert_eq!(stage.goes_to(), [1]);
    stage.answers(1, 10, 150);
    assert_eq!(stage.goes_to(), [2]);
    stage.now += Duration::from_secs(61);
    assert_eq!(stage.goes_to(), [0, 1, 2], "the minute is over");
}

#[test]
fn a_burst_before_any_answer_spreads_evenly() {
    for strategy in [Strategy::LowestUsage, Strategy::LowestCost] {
        let mut stage = Stage::of_equals(strategy, 3);
        let leases: Vec<_> = (0..30).map(|_| stage.pick()).collect();
        assert_eq!(stage.fleet.snapshot(), [10; 3], "{strategy:?}");
        drop(leases);
    }
}

#[test]
fn who_has_used_up_its_minute_gets_nothing_whatever_the_strategy_compares() {
    let members = [limits(Some(2), None), limits(None, Some(100)), limits(None, None)];
    for strategy in [Strategy::LowestUsage, Strategy::LowestCost] {
        let mut stage = Stage::new(strategy, &members.map(on_terms));
        for (member, tokens) in [(0, 1), (0, 1), (1, 100), (2, 500)] {
            stage.answers(member, 10, tokens);
        }
        // The third has taken most and is not limited.
        assert_eq!(stage.goes_to(), [2], "{strategy:?}");
    }
}

#[test]
fn cost_goes_to_the_cheapest_and_whoever_has_no_price_goes_last() {
    let prices = [Some(3e-6), None, Some(1e-6), Some(1e-6)];
    let mut stage = Stage::new(Strategy::LowestCost, &prices.map(|price| on_terms(costs(price))));
    assert_eq!(stage.goes_to(), [2, 3]);
    let _busy = stage.hold(2);
    assert_eq!(stage.goes_to(), [3], "of equals the less busy");
    let cheap = [2, 3].map(|member| stage.group.members()[member].deployment);
    let pick = crate::Pick { tried: &cheap, ..crate::Pick::default() };
    assert_eq!(stage.pick_with(pick).member(), 0);
}

#[test]
fn with_tie_break_first_equals_go_to_the_first() {
    for strategy in [Strategy::LowestUsage, Strategy::LowestCost] {
        let members = [on_terms(Terms::default()); 3];
        let mut stage = Stage::breaking_ties(strategy, TieBreak::First, &members);
        assert_eq!(stage.goes_to(), [0], "{strategy:?}");
    }
}
