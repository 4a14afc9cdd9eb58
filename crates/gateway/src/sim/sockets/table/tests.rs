use std::collections::BTreeMap;
use std::time::Duration;

use anstream::adapter::strip_str;
use leastbusy_sim::{Policy, Report, Row, Summary, Times};

use super::{Compared, Verdict, write};
use crate::load::Measured;

/// A hundred times, the last two of which are the p99 and the largest.
fn times(usual_ms: u64, p99_ms: u64) -> Times {
    let ms = |rank| if rank < 98 { usual_ms } else { p99_ms };
    (0..100).map(|rank| Duration::from_millis(ms(rank))).collect()
}

fn compared(first_tokens: Times, responses: Times) -> Compared {
    let run = |usual, p99| {
        Summary::of(&Report {
            first_tokens: times(100, 200),
            responses: times(usual, p99),
            ..Report::default()
        })
    };
    let runs = vec![run(1000, 2000), run(990, 1900), run(1010, 2100)];
    Compared {
        measured: Measured { first_tokens, responses, errors: BTreeMap::new() },
        computed: Row { policy: Policy::LeastBusy, runs },
    }
}

fn written(compared: &Compared) -> (Verdict, String) {
    let mut out = Vec::new();
    let verdict = write(&mut out, compared).unwrap();
    (verdict, strip_str(&String::from_utf8(out).unwrap()).to_string())
}

#[test]
fn each_figure_stands_beside_its_computed_mean_and_range() {
    let (verdict, text) = written(&compared(times(104, 215), times(1000, 2000)));
    assert_eq!(verdict, Verdict::Agree);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("time to first token"), "{text}");
    assert_eq!(lines[2], "  mean                0.106 s   0.102 s    0.102 to 0.102     +4.1 %     5 %");
    assert_eq!(lines[5], "  p99                 0.215 s   0.200 s    0.200 to 0.200     +7.5 %    10 %");
    assert!(lines[7].starts_with("response"), "{text}");
    assert_eq!(lines[8], "  mean                1.020 s   1.020 s    1.008 to 1.032     +0.0 %     5 %");
    assert_eq!(lines[9], "  p50                 1.000 s   1.000 s    0.990 to 1.010     +0.0 %");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_mean_beyond_5_percent_or_a_p99_beyond_10_differs_either_way() {
    for (usual, p99, expected) in [
        (104, 219, Verdict::Agree),
        (96, 181, Verdict::Agree),
        (106, 200, Verdict::Differ),
        (94, 200, Verdict::Differ),
        (100, 221, Verdict::Differ),
        (100, 179, Verdict::Differ),
    ] {
        let (verdict, text) = written(&compared(times(usual, p99), times(1000, 2000)));
        assert_eq!(verdict, expected, "{text}");
        let (verdict, text) = written(&compared(times(100, 200), times(10 * usual, 10 * p99)));
        assert_eq!(verdict, expected, "{text}");
    }
}

#[test]
fn a_request_that_failed_differs_and_so_does_nothing_answered() {
    let mut failed = compared(times(100, 200), times(1000, 2000));
    failed.measured.errors = BTreeMap::from([("status 503: full".to_owned(), 2)]);
    let (verdict, text) = written(&failed);
    assert_eq!(verdict, Verdict::Differ);
    assert!(text.starts_with("failed: 2 x status 503: full\n"), "{text}");
    assert_eq!(written(&compared(Times::default(), Times::default())).0, Verdict::Differ);
}
