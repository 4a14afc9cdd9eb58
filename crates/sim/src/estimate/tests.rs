use super::Estimate;
use crate::Dice;

#[test]
fn one_run_says_nothing_of_its_error() {
    assert_eq!(Estimate::of(&[3.0]), Estimate { mean: 3.0, margin: None });
}

#[test]
fn three_runs_by_hand() {
    // Mean 2, standard deviation 1, t = 4.303 for two degrees of freedom.
    let estimate = Estimate::of(&[1.0, 2.0, 3.0]);
    assert!((estimate.margin.expect("three runs") - 4.303 / 3_f64.sqrt()).abs() < 1e-12);
    assert!((estimate.at_most() - 2.0 - 4.303 / 3_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn nineteen_intervals_in_twenty_hold_the_truth() {
    let mut dice = Dice::new(5);
    let holds = |_: &u32| {
        let figures: Vec<f64> = (0..5).map(|_| dice.uniform()).collect();
        let estimate = Estimate::of(&figures);
        (estimate.mean - 0.5).abs() <= estimate.margin.expect("five runs")
    };
    let held = (0..20_000).filter(holds).count() as f64 / 20_000.0;
    // A standard deviation of 0.15 %; that uniform figures are not normal ones costs a little more.
    assert!((0.935..0.96).contains(&held), "{held}");
}
