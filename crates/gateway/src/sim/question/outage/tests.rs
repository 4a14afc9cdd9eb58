use leastbusy_sim::{Estimate, Part, Survived, Timeline};

use super::*;

fn part(errors: f64, margin: Option<f64>, first_token: Option<f64>) -> Part {
    let p99 = first_token.map(|mean| Estimate { mean, margin: None });
    let errors = Estimate { mean: errors, margin };
    Part { arrived: Estimate::of(&[9.0]), errors, p99_first_token: p99, p99_response: p99 }
}

fn told(streams: bool, [before, during, after]: [Part; 3]) -> String {
    let timeline = Timeline { span: Duration::from_secs(1), spans: Vec::new() };
    verdict(streams, &Survived { before, during, after, timeline })
}

#[test]
fn counts_are_told_in_whole_requests() {
    for (lost, is_sure, says) in [
        (0.0, true, "No request gets an error"),
        (0.4, false, "Less than one request in two runs gets an error"),
        (1.0, true, "1 request gets an error"),
        (1.2, false, "About 1 request gets an error"),
        (11.6, false, "About 12 requests get an error"),
        (12.0, false, "About 12 requests get an error"),
        (12.0, true, "12 requests get an error"),
    ] {
        assert_eq!(losses(lost, is_sure), says);
    }
}

#[test]
fn times_are_compared_only_where_both_parts_have_some() {
    let some = |first_token| part(0.0, None, Some(first_token));
    let none = part(0.0, None, None);
    let no_error = "No request gets an error.";
    let twice = "While it lasts, 99 % of the first tokens come within 2 times as long as before.";
    assert_eq!(told(true, [some(0.1), some(0.2), some(0.1)]), format!("{no_error}\n{twice}"));
    for parts in [[none, some(0.2), none], [some(0.1), none, none], [some(0.0), some(0.2), none]] {
        assert_eq!(told(true, parts), no_error);
    }
    let alike = told(true, [some(0.1), some(0.1), none]);
    assert!(alike.ends_with("\nThe others take its load without being slower."), "{alike}");
}

#[test]
fn errors_of_both_parts_count_and_streams_say_why() {
    let parts = [part(5.0, None, None), part(1.0, Some(0.5), None), part(2.0, Some(0.0), None)];
    assert_eq!(
        told(true, parts),
        "About 3 requests get an error: a stream that has begun cannot be begun again."
    );
    assert_eq!(told(false, parts), "About 3 requests get an error.");
}
