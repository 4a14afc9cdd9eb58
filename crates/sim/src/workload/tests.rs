use std::time::Duration;

use super::{Arrivals, Job, Sizes, Workload};
use crate::Dice;

fn drawn(arrivals: Arrivals) -> Vec<Job> {
    let tokens = Sizes::Exponential { mean: 100.0 };
    Workload::Drawn { arrivals, prompt_tokens: tokens, output_tokens: tokens, requests: 100_000 }.jobs(3)
}

fn count(jobs: &[Job], from: f64, to: f64) -> f64 {
    jobs.iter().filter(|job| (from..to).contains(&job.arrival.as_secs_f64())).count() as f64
}

#[test]
fn the_same_seed_draws_the_same_requests_and_another_seed_others() {
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 5.0 },
        prompt_tokens: Sizes::Fixed(7.0),
        output_tokens: Sizes::Lognormal { mean: 50.0, sigma: 1.0 },
        requests: 50,
    };
    assert_eq!(workload.jobs(1), workload.jobs(1));
    assert_ne!(workload.jobs(1), workload.jobs(2));
}

#[test]
fn other_prompts_leave_the_arrivals_and_the_answers_as_they_are() {
    let with = |prompt_tokens| Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 5.0 },
        prompt_tokens,
        output_tokens: Sizes::Exponential { mean: 50.0 },
        requests: 50,
    };
    let [short, long] =
        [Sizes::Fixed(7.0), Sizes::Exponential { mean: 9.0 }].map(|sizes| with(sizes).jobs(1));
    let rest = |jobs: &[Job]| jobs.iter().map(|job| (job.arrival, job.output_tokens)).collect::<Vec<_>>();
    assert_eq!(rest(&short), rest(&long));
}

#[test]
fn every_kind_of_arrivals_comes_at_its_mean_rate() {
    let period = Duration::from_secs(100);
    for arrivals in [
        Arrivals::Poisson { per_second: 50.0 },
        Arrivals::Bursts { per_second: 50.0, size: 10 },
        Arrivals::Diurnal { per_second: 50.0, swing: 0.8, period },
    ] {
        let jobs = drawn(arrivals);
        let rate = jobs.len() as f64 / jobs.last().expect("jobs").arrival.as_secs_f64();
        // 100,000 arrivals, or 10,000 bursts: a standard deviation of 0.3 and 1 %.
        assert!((48.0..52.0).contains(&rate), "{arrivals:?}: {rate}");
        assert!(jobs.is_sorted_by_key(|job| job.arrival));
    }
}

#[test]
fn a_day_has_its_peak_after_a_quarter_and_its_trough_after_three() {
    let jobs = drawn(Arrivals::Diurnal { per_second: 50.0, swing: 0.8, period: Duration::from_secs(1000) });
    let [peak, trough] = [240.0, 740.0].map(|from| count(&jobs, from, from + 20.0) / 20.0);
    assert!((85.0..95.0).contains(&peak) && (7.0..13.0).contains(&trough), "{peak} and {trough} a second");
}

#[test]
fn a_burst_comes_at_one_moment() {
    let jobs = drawn(Arrivals::Bursts { per_second: 50.0, size: 10 });
    assert!(jobs.chunks(10).all(|burst| burst.iter().all(|job| job.arrival == burst[0].arrival)));
    assert_ne!(jobs[0].arrival, jobs[10].arrival);
}

#[test]
fn sizes_have_the_means_they_say() {
    for sizes in [
        Sizes::Fixed(40.0),
        Sizes::Exponential { mean: 40.0 },
        Sizes::Lognormal { mean: 40.0, sigma: 1.2 },
        Sizes::Bimodal { small: 20.0, large: 220.0, share: 0.1 },
    ] {
        let mut dice = Dice::new(9);
        let sum: f64 = (0..1_000_000).map(|_| sizes.draw(&mut dice)).sum();
        // The lognormal one has the largest standard deviation, 1.8 means: 0.2 % of a million.
        assert!((sum / 1e6 / 40.0 - 1.0).abs() < 0.01, "{sizes:?}: {}", sum / 1e6);
        assert!((sizes.mean() - 40.0).abs() < 1e-9, "{sizes:?}");
    }
}

#[test]
fn a_trace_is_sorted_by_arrival() {
    let at = |seconds| Job { arrival: Duration::from_secs(seconds), prompt_tokens: 1.0, output_tokens: 1.0 };
    assert_eq!(Workload::Trace(vec![at(2), at(1)]).jobs(5), [at(1), at(2)]);
}
