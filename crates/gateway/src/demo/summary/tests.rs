use std::collections::BTreeMap;

use anstream::adapter::strip_str;
use leastbusy_sim::{Policy, Report, Times};

use super::{computed, in_virtual_time, write};
use crate::demo::plan::plan;
use crate::load::Measured;

fn replayed() -> Report {
    in_virtual_time(&plan()).run(Policy::LeastBusy, 1)
}

fn written(measured: &Measured) -> String {
    let mut out = Vec::new();
    write(&mut out, &plan(), measured, &[9, 4, 4, 2]).unwrap();
    strip_str(&String::from_utf8(out).unwrap()).to_string()
}

#[test]
fn the_summary_sets_measured_beside_computed() {
    let report = replayed();
    let text = written(&Measured {
        first_tokens: report.first_tokens.clone(),
        responses: report.responses,
        errors: BTreeMap::new(),
    });
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("requests answered, 0 failed."), "{text}");
    for (line, begins) in
        [(4, "least busy measured "), (5, "least busy computed "), (6, "random     computed ")]
    {
        assert!(lines[line].starts_with(begins), "{text}");
    }
    let mean = format!("{:.2}", report.first_tokens.mean().as_secs_f64());
    assert_eq!(lines[4].split_whitespace().nth(3), Some(mean.as_str()), "{text}");
    let large: Vec<&str> = lines[10].split_whitespace().take(5).collect();
    assert_eq!(large, ["large", "8", "9", "(1.1", "x)"], "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn failures_are_counted_by_reason() {
    let errors = BTreeMap::from([("status 503: full".to_owned(), 2), ("no connection".to_owned(), 1)]);
    let text = written(&Measured { first_tokens: Times::default(), responses: Times::default(), errors });
    assert!(text.contains(", 3 failed."), "{text}");
    assert!(!text.contains("on average"), "{text}");
    assert!(text.contains("failed: 2 x status 503: full\n"), "{text}");
}

#[test]
fn random_choice_is_worse_for_the_slow_tail_and_for_the_mean() {
    let plan = plan();
    let (least_busy, random) =
        (computed("least busy", Policy::LeastBusy, &plan), computed("random", Policy::Random, &plan));
    assert!(1.2 * least_busy.first_tokens.mean().as_secs_f64() < random.first_tokens.mean().as_secs_f64());
    let p99 = |times: &Times| times.quantile(0.99).as_secs_f64();
    assert!(1.5 * p99(&least_busy.first_tokens) < p99(&random.first_tokens));
}
