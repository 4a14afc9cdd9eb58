//! A deployment returns to the whole fleet at once: one probe, then one ramp.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::load::Load;
use super::redis_kit::Server;
use super::script::{Script, Upstream, answers};
use super::{INTERVAL, SLACK, fleet, models, through, turn, until};

const GATEWAYS: usize = 3;
const CLIENTS_OF_EACH: usize = 12;

/// What an answer takes, and what the probe's takes: many requests come meanwhile.
const ANSWER: Duration = Duration::from_millis(100);
const PROBE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_probe_and_one_ramp_for_all() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&arrivals);
    let returning = Upstream::playing_each(move |_| {
        let mut arrivals = seen.lock().unwrap();
        arrivals.push(Instant::now());
        match arrivals.len() {
            1 => answers(429).header("retry-after", "1").json("{}"),
            2 => slowly(PROBE),
            _ => slowly(ANSWER),
        }
    })
    .await;
    let well = Upstream::playing_each(|_| slowly(ANSWER)).await;
    let yaml = models(&[("a", returning.base()), ("b", well.base())]);
    let yaml = format!("{yaml}general_settings: {{workers: 1}}\n{}", through(redis.port(), ""));
    let instances = fleet(GATEWAYS, &yaml).await;
    while returning.requests() == 0 {
        assert_eq!(instances[0].asks("m").await.status, 200);
    }
    for instance in &instances {
        until("a rest", async || instance.state("a").await == "cooling_down").await;
    }
    let began = Instant::now();
    let clients =
        instances.iter().flat_map(|instance| std::iter::repeat_n(instance.address, CLIENTS_OF_EACH));
    let loads: Vec<_> = clients.map(|address| Load::asking(address, "m")).collect();
    let at = |number: usize| arrivals.lock().unwrap().get(number).copied();

    until("a probe", async || at(1).is_some()).await;
    let probe = at(1).unwrap();
    eprintln!("the probe came {:.2?} after the 429 with a Retry-After of 1 s", probe - at(0).unwrap());
    until("a request after the probe", async || at(2).is_some()).await;
    let second = at(2).unwrap();
    let asked: usize = loads.iter().map(|load| load.between(probe, probe + PROBE).count).sum();
    eprintln!(
        "the next request came {:.0?} after it; {asked} requests were answered meanwhile",
        second - probe
    );
    assert!(PROBE <= second - probe, "a second request while the probe was not answered");
    assert!(GATEWAYS * CLIENTS_OF_EACH <= asked, "all clients had an answer");

    let answered = probe + PROBE;
    for instance in &instances {
        until("a ramp", async || instance.state("a").await == "ramping").await;
        eprintln!("ramping at an instance {:.0?} after the probe's answer", answered.elapsed());
    }
    assert!(answered.elapsed() < INTERVAL + 2 * SLACK);
    let step = |number: u32| (answered + ANSWER * number, answered + ANSWER * (number + 1));
    tokio::time::sleep_until(step(7).1.into()).await;
    let arrived = arrivals.lock().unwrap().clone();
    let steps: Vec<_> = (0..8)
        .map(|number| arrived.iter().filter(|at| step(number).0 <= **at && **at < step(number).1).count())
        .collect();
    eprintln!(
        "requests to it in each {ANSWER:?} from then on: {steps:?}; its share would be {}",
        GATEWAYS * CLIENTS_OF_EACH / 2
    );
    assert!(steps[0] <= GATEWAYS, "{steps:?}");
    // The clients ask in step, so that one step alone may see few of them.
    let sum = |steps: &[usize]| steps.iter().sum::<usize>();
    assert!(sum(&steps[4..]) > sum(&steps[..4]), "{steps:?}");
    for load in &loads {
        assert_eq!(load.between(began, Instant::now()).failed, 0);
    }
}

/// The only deployment has rested when Redis freezes: whoever asks for leave to probe it gets no answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_for_want_of_leave_to_probe() {
    for what in ["fail", "wait"] {
        let redis = Server::start().await;
        let asked = AtomicUsize::new(0);
        let upstream = Upstream::playing_each(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => answers(429).header("retry-after", "1").json("{}"),
            _ => answers(200).json("{}"),
        })
        .await;
        let router =
            format!("router_settings: {{num_retries: 0, allowed_fails: 0, when_all_cooling: {what}}}\n");
        let sharing = through(redis.port(), "response_timeout: 0.6, connect_timeout: 0.6");
        let yaml = format!(
            "{}{router}general_settings: {{workers: 1}}\n{sharing}",
            models(&[("a", upstream.base())])
        );
        let instances = fleet(2, &yaml).await;
        let began = Instant::now();
        assert_eq!(instances[0].asks("m").await.status, 429);
        for instance in &instances {
            until("a rest", async || instance.state("a").await == "cooling_down").await;
        }
        let cooldown = instances[1].deployment("a").await["cooldown"]["remaining_seconds"].as_f64().unwrap();
        let ends = Instant::now() + Duration::from_secs_f64(cooldown);
        tokio::time::sleep_until((ends - Duration::from_millis(50)).into()).await;
        redis.freeze();
        tokio::time::sleep_until((ends + Duration::from_millis(20)).into()).await;
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            for instance in &instances {
                let asked = Instant::now();
                assert_eq!(
                    instance.asks("m").await.status,
                    200,
                    "{what}, {:?} after the rest",
                    ends.elapsed()
                );
                longest = longest.max(asked.elapsed());
            }
        }
        eprintln!(
            "{what}: served {:.0?} after the 429; the longest of 40 requests took {longest:.0?}",
            began.elapsed()
        );
        assert!(longest < Duration::from_millis(100) + SLACK, "{what}: {longest:?}");
        redis.thaw();
    }
}

/// With a second between two exchanges a question is asked at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_does_not_wait_for_the_next_exchange() {
    let redis = Server::start().await;
    let first = Arc::new(AtomicUsize::new(0));
    let (number, probed) = (Arc::clone(&first), Arc::new(Mutex::new(None)));
    let probe = Arc::clone(&probed);
    let returning = Upstream::playing_each(move |_| match number.fetch_add(1, Ordering::Relaxed) {
        0 => answers(429).header("retry-after", "1").json("{}"),
        _ => {
            probe.lock().unwrap().get_or_insert_with(Instant::now);
            answers(200).json("{}")
        }
    })
    .await;
    let well = Upstream::playing_each(|_| slowly(ANSWER)).await;
    let yaml = models(&[("a", returning.base()), ("b", well.base())]);
    let yaml = format!("{yaml}general_settings: {{workers: 1}}\n{}", through(redis.port(), "interval: 1"));
    let instances = fleet(2, &yaml).await;
    while first.load(Ordering::Relaxed) == 0 {
        assert_eq!(instances[0].asks("m").await.status, 200);
    }
    let refused = Instant::now();
    let _loads: Vec<_> = (0..4).map(|_| Load::asking(instances[0].address, "m")).collect();
    until("a probe", async || probed.lock().unwrap().is_some()).await;
    let after = probed.lock().unwrap().unwrap() - refused;
    eprintln!("with an interval of 1 s the probe came {after:.0?} after a 429 with a Retry-After of 1 s");
    assert!(after < Duration::from_secs(1) + ANSWER + SLACK, "{after:?}");
}

fn slowly(pause: Duration) -> Script {
    answers(200).pauses(pause).json("{}")
}
