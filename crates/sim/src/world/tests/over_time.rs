use super::{at, engine, job, preferred, troubled};
use crate::{Engine, Instances, Job, Policy, Report, Rules, Timeline, Trouble};

fn timeline(engines: &[Engine], rules: &Rules, uncounted: usize, jobs: &[Job]) -> (Report, Timeline) {
    let (policy, instances) = (Policy::LeastBusy, &Instances::default());
    let run = super::Run {
        engines,
        rules,
        instances,
        clients: &[],
        policy,
        seed: 1,
        uncounted,
        span: Some(at(10.0)),
    };
    let mut report = run.report(jobs);
    let timeline = report.timeline.take().expect("one was asked for");
    (report, timeline)
}

#[test]
fn a_request_is_told_of_in_the_span_in_which_it_came() {
    let (_, timeline) = timeline(
        &[engine(1)],
        &Rules::default(),
        0,
        &[job(1.0, 15.0), job(9.999, 1.0), job(10.0, 1.0), job(39.0, 5.0)],
    );
    assert_eq!(timeline.span, at(10.0));
    let of = |arrived: fn(&crate::Span) -> u64| timeline.spans.iter().map(arrived).collect::<Vec<_>>();
    assert_eq!(of(|span| span.arrived), [2, 1, 0, 1]);
    assert_eq!(of(|span| span.responses.count() as u64), [2, 1, 0, 1]);
    assert_eq!(of(|span| span.attempts[0]), [2, 1, 0, 1]);
    // At 10, 20, 30 and 40 s: the arrival at 10 s is not of the first span.
    assert_eq!(of(|span| span.in_flight[0].into()), [2, 0, 0, 1]);
}

#[test]
fn what_happens_after_the_last_request_came_is_counted_in_its_span() {
    let hangs = troubled(0.0, 100.0, Trouble::Hangs { share: 1.0 }, preferred(engine(9)));
    let rules = Rules { first_token_timeout: Some(at(60.0)), ..Rules::default() };
    let (report, timeline) = timeline(&[hangs, engine(9)], &rules, 0, &[job(1.0, 1.0), job(12.0, 1.0)]);
    assert_eq!((report.retries, timeline.spans.len()), (2, 2));
    let attempts: Vec<_> = timeline.spans.iter().map(|span| span.attempts.clone()).collect();
    assert_eq!(attempts, [vec![1, 0], vec![1, 2]]);
    let in_flight: Vec<_> = timeline.spans.iter().map(|span| span.in_flight.clone()).collect();
    assert_eq!(in_flight, [vec![1, 0], vec![2, 0]]);
}

#[test]
fn a_limit_without_end_makes_no_spans_without_end() {
    let hangs = troubled(0.0, 100.0, Trouble::Hangs { share: 1.0 }, engine(9));
    let rules = Rules { request_timeout: Some(std::time::Duration::MAX), ..Rules::default() };
    let (report, timeline) = timeline(&[hangs], &rules, 0, &[job(1.0, 1.0)]);
    assert_eq!((report.errors, timeline.spans.len(), timeline.spans[0].errors), (1, 1, 1));
}

#[test]
fn a_timeline_shows_the_uncounted_ones_too() {
    let jobs: Vec<_> = (0..50).map(|number| job(f64::from(number), 0.5)).collect();
    let (report, timeline) = timeline(&[engine(1)], &Rules::default(), 20, &jobs);
    assert_eq!((report.requests(), report.attempts), (30, vec![30]));
    assert_eq!(timeline.spans.iter().map(|span| span.arrived).sum::<u64>(), 50);
}

#[test]
fn without_jobs_there_are_no_spans() {
    assert_eq!(timeline(&[engine(1)], &Rules::default(), 0, &[]).1.spans, []);
}
