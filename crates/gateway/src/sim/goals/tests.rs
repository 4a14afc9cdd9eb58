use leastbusy_sim::{Bound, Effort, Estimate, Figure, Goal};

use super::{run, write};

fn goal(name: &'static str, measured: &[(f64, f64)]) -> Goal {
    let figure = |&(mean, margin): &(f64, f64)| Figure {
        what: "mean wait".into(),
        bound: Bound::AtMost(1.3),
        measured: Estimate { mean, margin: Some(margin) },
    };
    Goal { name, says: "all is well", figures: measured.iter().map(figure).collect() }
}

fn written(goals: &[Goal]) -> String {
    let mut out = Vec::new();
    write(&mut anstream::StripStream::new(&mut out), goals, Effort { seeds: 5, length: 1.0 }).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn each_goal_tells_its_figures_with_bound_and_error_and_whether_it_is_met() {
    let text = written(&[goal("G1", &[(1.2, 0.05), (1.1, 0.0)]), goal("G2", &[(1.2875, 0.05)])]);
    assert_eq!(
        text,
        "G1 all is well: met\n    1.2000 ± 0.0500  <= 1.3        mean wait\n    1.1000 ± 0.0000  <= 1.3        \
         mean wait\n\nG2 all is well: missed\n    1.2875 ± 0.0500  <= 1.3        mean wait\n\n1 of 2 goals are met. \
         A figure is met where its whole 95 % interval, over 5 seeds, is within the bound.\n"
    );
}

#[test]
fn what_is_written_and_what_is_returned_agree() {
    // So short that some are missed for want of requests.
    let effort = Effort { seeds: 2, length: 0.001 };
    let mut out = Vec::new();
    let met = run(&mut anstream::StripStream::new(&mut out), effort, 2.try_into().unwrap()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(met, !text.contains(": missed"), "{text}");
    assert!(!met && text.contains("G13 "), "{text}");
}
