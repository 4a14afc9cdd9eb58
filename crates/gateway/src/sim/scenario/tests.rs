use std::fs;
use std::time::Duration;

use leastbusy_sim::{Client, Instances, Queue, Spread, Trouble};

use super::*;

mod page;

const SMALL: &str = "arrivals: {poisson: {per_second: 0.2}}\noutput_tokens: 100\ndeployments: [{name: gpu, slots: 2, tokens_per_second: 50}]\n";

fn read(text: &str) -> Written {
    let (written, warnings) = parse("scenario.yaml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(warnings, [], "{text}");
    written
}

/// Each mistake as `line:column what / way out`.
fn mistakes(text: &str) -> Vec<String> {
    brief(&parse("scenario.yaml", text).expect_err(text).mistakes)
}

fn warnings(text: &str) -> Vec<String> {
    brief(&parse("scenario.yaml", text).unwrap_or_else(|error| panic!("{error}")).1)
}

fn brief(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| {
        let (line, column) = finding.place.as_ref().and_then(|place| place.position).expect("has a place");
        format!("{line}:{column} {} / {}", finding.what, finding.way_out.as_deref().unwrap_or("-"))
    };
    findings.iter().map(one).collect()
}

#[test]
fn what_is_not_said_has_a_default() {
    let Written { scenario, policies, seeds, seed, notes } = read(SMALL);
    assert_eq!((policies.as_slice(), seeds, seed, notes.len()), (&Policy::USUAL[..], 5, 1, 0));
    let mut expected = Scenario::new(
        vec![leastbusy_sim::Engine::new("gpu", 2, 50.0)],
        Workload::Drawn {
            arrivals: Arrivals::Poisson { per_second: 0.2 },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: Sizes::Fixed(100.0),
            requests: 200_000,
        },
    );
    assert_eq!(scenario, expected);
    // An empty section says as little as none.
    expected.rules = read(&format!("{SMALL}router: {{}}\n")).scenario.rules;
    assert_eq!(scenario, expected);
}

#[test]
fn load_is_a_share_of_what_the_deployments_can_do() {
    // Two slots that take two seconds: one request a second, and two more from the other's four.
    let text = "arrivals: {bursts: {load: 0.5, size: 3}}\noutput_tokens: {exponential: {mean: 100}}\n\
        deployments: [{name: a, slots: 2, tokens_per_second: 50}, {name: b, count: 2, slots: 2, tokens_per_second: 50}]\n";
    let Workload::Drawn { arrivals, .. } = read(text).scenario.workload else { panic!("it is drawn") };
    assert_eq!(arrivals, Arrivals::Bursts { per_second: 1.5, size: 3 });
    let names: Vec<_> = read(text).scenario.engines.into_iter().map(|engine| engine.name).collect();
    assert_eq!(names, ["a", "b-1", "b-2"]);
}

#[test]
fn troubles_are_what_they_are_called() {
    let text = format!(
        "{}router: {{stream_timeout: 5s}}\n",
        SMALL.replace(
            "tokens_per_second: 50}",
            "tokens_per_second: 50, warm_up: {speed: 0.5, time: 1m}, troubles: [{from: 1, until: 2m, down: true}, \
             {from: 1, until: 2, fails: true}, {from: 1, until: 2, fails: {share: 0.5, after: 20ms}}, \
             {from: 1, until: 2, hangs: {share: 0.1}}, {from: 1, until: 2, rate_limits: true}, \
             {from: 1, until: 2, rate_limits: {retry_after: 3}}, {from: 1, until: 2, slow: {speed: 0.2}}]}"
        )
    );
    let engine = read(&text).scenario.engines.remove(0);
    let seconds = Duration::from_secs;
    let troubles: Vec<_> = engine.episodes.iter().map(|episode| episode.trouble).collect();
    assert_eq!(
        troubles,
        [
            Trouble::Down,
            Trouble::Fails { share: 1.0, after: Duration::ZERO },
            Trouble::Fails { share: 0.5, after: Duration::from_millis(20) },
            Trouble::Hangs { share: 0.1 },
            Trouble::RateLimits { retry_after: None },
            Trouble::RateLimits { retry_after: Some(seconds(3)) },
            Trouble::Slow { speed: 0.2 },
        ]
    );
    assert_eq!((engine.episodes[0].from, engine.episodes[0].until), (seconds(1), seconds(120)));
    assert_eq!(engine.warm_up, Some(leastbusy_sim::WarmUp { speed: 0.5, time: seconds(60) }));
}

#[test]
fn instances_are_a_number_or_what_is_said_of_them() {
    let instances = |said: &str| read(&format!("{SMALL}instances: {said}\n")).scenario.instances;
    let every = |milliseconds| Some(Duration::from_millis(milliseconds));
    assert_eq!(instances("1"), Instances::default());
    assert_eq!(instances("8"), Instances::sharing(8, every(20)));
    assert_eq!(instances("{count: 9}"), Instances::sharing(9, every(50)));
    assert_eq!(instances("{count: 9, shared_every: 0}"), Instances::sharing(9, None));
    let second = Duration::from_secs;
    assert_eq!(
        instances("{count: 4, shared_every: 1s, half_on: 1, silences: [{from: 5, until: 1m}]}"),
        Instances {
            silences: vec![(second(5), second(60))],
            spread: Spread::HalfOn(1),
            ..Instances::sharing(4, every(1_000))
        }
    );
    assert_eq!(instances("{count: 4, runs: 0.9}").spread, Spread::Runs(0.9));
}

#[test]
fn limits_and_the_queue_are_what_is_said_of_them() {
    let limited =
        |limit: &str| SMALL.replace("slots: 2,", &format!("slots: 2, max_parallel_requests: {limit},"));
    let limit = |said: &str| read(&limited(said)).scenario.engines[0].limit.map(std::num::NonZeroU32::get);
    assert_eq!((limit("7"), limit("slots"), limit("null")), (Some(7), Some(2), None));
    assert_eq!(
        mistakes(&limited("places")),
        ["3:60 expected a number or `slots`, found the text `places` / write `slots` for as many as it has"]
    );

    let queue =
        read(&format!("{SMALL}router: {{max_queued_requests: 9, queue_timeout: 2m}}\nturns: false\n"));
    let expected = Queue { most: Some(9), timeout: Duration::from_secs(120), turns: false };
    assert_eq!(queue.scenario.rules.queue, expected);
    assert_eq!(
        mistakes(&format!("{SMALL}router: {{max_queued_requests: 1000001, queue_timeout: 0}}\n")),
        [
            "4:31 1000001 is not between 0 and 1000000 / choose a number in that range",
            "4:55 0 s is out of range: more than 0, at most 1h / choose a time in it"
        ]
    );
}

#[test]
fn clients_are_named_with_their_shares_and_priorities() {
    let text = format!("{SMALL}clients: [{{name: noisy, share: 10, priority: 5}}, {{name: quiet}}]\n");
    let noisy = Client { priority: 5, ..Client::new("noisy", 10.0) };
    assert_eq!(read(&text).scenario.clients, [noisy, Client::new("quiet", 1.0)]);
    assert_eq!(
        mistakes(&format!("{SMALL}clients: [{{share: 0}}]\n")),
        [
            "4:12 a client needs `name` / add `name: NAME`",
            "4:19 0 is out of range: more than 0, at most 1000000 / choose a number in that range",
        ]
    );
}

#[test]
fn several_instances_have_a_cap() {
    let cap = |said: &str| read(&format!("{SMALL}instances: {said}\n")).scenario.rules.group.cap_of_all;
    assert_eq!(cap("1"), None);
    assert_eq!((cap("4"), cap("{count: 4, cap_of_all: 2}")), (Some(1.5), Some(2.0)));
}

#[test]
fn instances_that_cannot_be_are_told() {
    for (said, says) in [
        (
            "many",
            "expected a number or a map, found the text `many` / write a number, or `{count: 4, shared_every: 20ms}`",
        ),
        ("{shared_every: 1s}", "`instances` needs `count` / add `count: 4`"),
        ("0", "0 is not between 1 and 1000 / choose a number in that range"),
        (
            "{count: 4, shared_every: 0.5ms}",
            "instances cannot share their counts as often as that / write `1ms` or more, or 0 for instances that share nothing",
        ),
        (
            "1000",
            "1000 instances that share their counts every 50ms hear each other 19980000 times a second: too often to \
             simulate / share them every 999ms or more seldom, or take fewer instances",
        ),
        (
            "{count: 100, shared_every: 1ms}",
            "100 instances that share their counts every 1ms hear each other 9900000 times a second: too often to \
             simulate / share them every 10ms or more seldom, or take fewer instances",
        ),
        ("{count: 4, half_on: 2, runs: 0.5}", "`half_on` and `runs` cannot both be / keep one of the two"),
        (
            "{count: 4, half_on: 4}",
            "half of the requests on 4 instances leaves nobody for the other half / lower it, or raise `count`",
        ),
        (
            "{count: 4, silences: [{from: 9, until: 9}]}",
            "it ends after 9 s and begins after 9 s / give `until` a later time than `from`; both count from the start",
        ),
        (
            "{count: 4, silences: [{from: 9}]}",
            "a silence needs `until` / say when, e.g. `{from: 60, until: 120}`",
        ),
    ] {
        let found = mistakes(&format!("{SMALL}instances: {said}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].split_once(' ').map(|(_, told)| told), Some(says));
    }
}

#[test]
fn time_limits_are_those_of_the_router() {
    let limits = |router: &str| {
        let rules = read(&format!("{SMALL}router: {router}\n")).scenario.rules;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        [rules.first_token_timeout, rules.answer_timeout, rules.request_timeout].map(seconds)
    };
    assert_eq!(limits("{timeout: 9, stream_timeout: 5, total_timeout: 60}"), [Some(5), None, Some(60)]);
    assert_eq!(limits("{timeout: 9}"), [Some(9), None, None]);
    assert_eq!(limits("{timeout: 9, first_byte_timeout: 3}"), [Some(3), None, None]);
    assert_eq!(limits("{streams: false, timeout: 9, stream_timeout: 5}"), [None, Some(9), None]);
    assert_eq!(limits("{streams: false, timeout: 9, first_byte_timeout: 3}"), [None, Some(3), None]);
}

#[test]
fn a_mistake_shows_its_line_and_the_way_out() {
    let error = parse("scenario.yaml", &SMALL.replace("slots", "slot")).expect_err("has a slip");
    assert_eq!(
        error.to_string(),
        "scenario.yaml:3:27: `slot` is not a key of deployments[]\n   \
            3 | deployments: [{name: gpu, slot: 2, tokens_per_second: 50}]\n     \
              |                           ^^^^\n    \
                did you mean `slots`?\n\
         1 mistake in scenario.yaml"
    );
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = "\
requests: 0
policies: [random, least-bussy, random]
arrivals:
  diurnal: {load: 0.8, per_second: 3, swing: 1.5, period: soon}
prompt_tokens: {lognormal: {mean: 0}}
output_tokens: many
uncounted: 1
deployments:
  - name: a
    slots: 0
    tokens_per_second: -3
  - {slots: 4, tokens_per_second: 50, full_speed_slots: 8, timeout: 3}
  - {name: a, slots: 1, tokens_per_second: 1}
  - name: a
    slots: 1
    tokens_per_second: 1
    troubles:
      - {from: 2m, until: 60, down: true}
      - {from: 1, until: 2}
      - {from: 1, until: 2, down: true, hangs: {share: 2}}
      - {from: 1, until: 2, fails: no}
router: {num_retries: 5000, cooldown_time: 3 weeks}
";
    assert_eq!(mistakes(text), GOLDEN);
}

const GOLDEN: [&str; 22] = [
    "1:11 0 is not between 1 and 10000000 / choose a number in that range",
    "2:20 `least-bussy` is not one of `random`, `round-robin`, `stale-first`, `lowest-latency`, `lowest-usage`, `peak-ewma`, `two-choices`, `own-and-told`, `least-busy`, `least-busy-by-speed`, `central-queue` / did you mean `least-busy`?",
    "2:33 `random` is written twice / keep one of the two",
    "4:36 `load` and `per_second` cannot both be / keep one of the two",
    "4:46 1.5 is out of range: 0 to 1 / choose a number in that range",
    "4:59 expected a time, found the text `soon` / write it as `500ms`, `20s`, `5m` or `2h`",
    "5:17 lognormal needs `sigma` / add `sigma: NUMBER`",
    "5:35 0 is out of range: more than 0, at most 1000000 / choose a number in that range",
    "6:16 expected a number or a distribution, found the text `many` / write a number, or `{lognormal: {mean: 250, sigma: 1.2}}`",
    "7:12 1 is out of range: 0 to 0.9 / choose a number in that range",
    "10:12 0 is not between 1 and 100000 / choose a number in that range",
    "11:24 -3 is out of range: 0.01 to 1000000 / choose a number in that range",
    "12:6 a deployment needs `name` / add `name: NAME`",
    "12:57 8 answers cannot be written at once in 4 slots / lower it to `slots`, or remove it",
    "12:60 `timeout` is not a key of deployments[] / it belongs into router",
    "14:11 `a` is also the name of deployments[2] / give each deployment a name of its own",
    "18:27 it ends after 60 s and begins after 120 s / give `until` a later time than `from`; both count from the start",
    "19:10 one of `down`, `fails`, `hangs`, `rate_limits`, `slow` is missing / say which, e.g. `{from: 60, until: 120, down: true}`",
    "20:41 `down` and `hangs` cannot both be / keep one of the two",
    "21:36 a trouble that is not there has no place in the list / remove it",
    "22:23 5000 is not between 0 and 1000 / choose a number in that range",
    "22:44 expected a time, found the text `3 weeks` / write it as `500ms`, `20s`, `5m` or `2h`",
];

#[test]
fn what_does_not_fit_together_is_told() {
    let one = |text: &str| {
        let mut found = mistakes(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    let hanging = SMALL.replace(
        "tokens_per_second: 50}",
        "tokens_per_second: 50, troubles: [{from: 1, until: 2, hangs: true}]}",
    );
    assert_eq!(
        one(&hanging),
        "3:72 the router has no time limit, so that requests that hang here are never given up / add a limit to \
         `router`, e.g. `stream_timeout: 60`"
    );
    read(&format!("{hanging}router: {{total_timeout: 60}}"));
    // The place is that of the trouble, whatever is wrong with the one before it.
    let second = mistakes(&hanging.replace("[{from", "[{from: 1, until: 2}, {from"));
    assert_eq!(second.len(), 2, "{second:?}");
    assert!(second[1].starts_with("3:93 the router has no time limit"), "{second:?}");
    let config = "model_list: [{model_name: chat}]\nrouter_settings: {num_retries: 1}\n";
    assert_eq!(
        one(config),
        "1:1 this is a configuration, not a scenario / simulate it with `leastbusy sim --config FILE --rate N`, N \
         requests a second"
    );
    assert_eq!(
        one(&SMALL.replace("per_second: 0.2}", "load: 0.5}").replace("100", "0")),
        "1:28 this share of the inf requests a second that the deployments can serve is out of range: 0.001 to 1000000 \
         / give the rate itself: `per_second: 20`"
    );
    assert_eq!(one("- 1\n"), "1:1 expected a map of settings, found a list / write `KEY: VALUE` lines");
    assert!(one("a: [").contains(" not YAML: "));
}

#[test]
fn what_is_odd_is_warned_of() {
    let weighed = SMALL.replace("50}", "50, weight: 2}, {name: b, slots: 1, tokens_per_second: 1}");
    assert_eq!(
        warnings(&format!("{weighed}router: {{hedge_after: 2, connect_timeout: 1}}\n")),
        [
            "3:73 others have a `weight`, and this one gets slots times speed, which may be far from those / give all a \
             `weight`, or none",
            "4:10 `hedge_after` is a router setting that a simulation does not follow / -",
            "4:26 `connect_timeout` is a router setting that a simulation does not follow / -",
        ]
    );
}

#[test]
fn a_trace_takes_the_place_of_what_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writes");
    write("trace.csv", "arrival,prompt_tokens,output_tokens\n0,10,20\n4,30,40\n6,1,1\n");
    let load = |text: &str| {
        write("scenario.yaml", text);
        load(&folder.path().join("scenario.yaml"), None)
    };
    let deployments = "deployments: [{name: gpu, slots: 2, tokens_per_second: 50}]\nrequests: 2\n";
    let (written, _) =
        load(&format!("{deployments}trace: {{file: trace.csv, speed: 2}}\n")).expect("is right");
    let Workload::Trace(jobs) = written.scenario.workload else { panic!("it is a trace") };
    assert_eq!(jobs.len(), 2);
    assert_eq!((jobs[1].arrival, jobs[1].prompt_tokens), (Duration::from_secs(2), 30.0));
    let error = load(&format!("{deployments}trace: trace.csv\narrivals: {{poisson: {{load: 1}}}}\n"))
        .expect_err("both");
    assert_eq!(error.mistakes[0].what, "a trace brings its own arrivals");
    write("trace.csv", "arrival,prompt_tokens,output_tokens\n0,x,20\n");
    let error = load(&format!("{deployments}trace: trace.csv\n")).expect_err("a bad line");
    assert!(error.mistakes[0].what.contains("trace.csv:2: `prompt_tokens` is `x`"), "{error}");
}
