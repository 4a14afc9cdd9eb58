use std::num::NonZeroUsize;
use std::time::Duration;

use leastbusy_sim::{
    Arrivals, Comparison, Engine, Episode, Measure, Metric, Policy, Scenario, Sizes, Statistic, Timeline,
    Trouble, Workload,
};
use roxmltree::Document;

use super::{Told, chart, page, pictures, table};

const NASTY: &str = r#"gpu <b>&"'$x$"#;

/// Four deployments, one of them twice as large and one that is down for a while.
fn scenario() -> Scenario {
    let mut engines: Vec<_> = (0..4).map(|number| Engine::new(format!("vllm-{number}"), 4, 50.0)).collect();
    engines[1] = Engine::new(NASTY, 8, 50.0);
    engines[2].episodes = vec![Episode {
        from: Duration::from_secs(60),
        until: Duration::from_secs(100),
        trouble: Trouble::Down,
    }];
    for engine in &mut engines {
        engine.first_token_time = Duration::from_millis(150);
    }
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 9.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Lognormal { mean: 75.0, sigma: 1.2 },
        requests: 2_000,
    };
    Scenario::new(engines, workload)
}

struct Study {
    scenario: Scenario,
    seeds: Vec<u64>,
    comparison: Comparison,
    timelines: Vec<(Policy, Timeline)>,
    notes: Vec<String>,
}

impl Study {
    fn of(scenario: Scenario, policies: &[Policy], seeds: &[u64], span: Option<Duration>) -> Self {
        let comparison = Comparison::run(&scenario, policies, seeds, NonZeroUsize::MIN, &|| ());
        let jobs = scenario.jobs(seeds[0]);
        let timeline = |policy: &Policy| {
            let report = scenario.replay(&jobs, *policy, seeds[0], Some(span?));
            report.timeline.map(|timeline| (*policy, timeline))
        };
        let timelines = policies.iter().filter_map(timeline).collect();
        let notes = vec!["weights are <those> of the file".to_owned()];
        Self { scenario, seeds: seeds.to_vec(), comparison, timelines, notes }
    }

    fn usual() -> Self {
        Self::of(scenario(), &Policy::ALL, &[1, 2, 3], Some(Duration::from_secs(5)))
    }

    fn told(&self) -> Told<'_> {
        Told {
            title: "four & a half <deployments>",
            command: "leastbusy sim four.yaml --seeds 3 --html report.html",
            scenario: &self.scenario,
            seeds: &self.seeds,
            comparison: &self.comparison,
            timelines: &self.timelines,
            notes: &self.notes,
        }
    }
}

/// The charts inside a page.
fn svgs(page: &str) -> Vec<&str> {
    page.split("<svg").skip(1).map(|after| after.split("</svg>").next().unwrap_or(after)).collect()
}

#[test]
fn every_picture_is_well_formed_and_keeps_to_its_canvas() {
    let study = Study::usual();
    let pictures = pictures(&study.told());
    let names: Vec<_> = pictures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ttft-curves",
            "wait-curves",
            "response-curves",
            "slowdown-curves",
            "p99-wait",
            "shares",
            "largest-in-flight",
            "ttft-over-time",
            "errors-over-time",
            "in-flight-random",
            "in-flight-round-robin",
            "in-flight-stale-first",
            "in-flight-lowest-latency",
            "in-flight-lowest-usage",
            "in-flight-peak-ewma",
            "in-flight-two-choices",
            "in-flight-own-and-told",
            "in-flight-least-busy",
            "in-flight-least-busy-by-speed",
            "in-flight-central-queue",
        ]
    );
    for (name, svg) in &pictures {
        let document = Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = document.root_element();
        let view = root.attribute("viewBox").expect("a picture has a size");
        let size: Vec<f64> = view.split(' ').map(|number| number.parse().unwrap()).collect();
        assert!(root.attribute("aria-label").is_some_and(|label| !label.is_empty()), "{name}");
        assert!(svg.contains("prefers-color-scheme: dark"), "{name}");
        let number = |node: roxmltree::Node<'_, '_>, of: &str| {
            node.attribute(of).and_then(|value| value.parse::<f64>().ok())
        };
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            for (of, end) in [("x", size[2]), ("y", size[3]), ("cx", size[2]), ("cy", size[3])] {
                let at = number(node, of).unwrap_or(0.0);
                assert!((0.0..=end).contains(&at), "{name}: {of}={at} in {view}");
            }
            if node.tag_name().name() == "text" {
                // Six tenths of its size is what a letter takes at most on average.
                let letters = node.text().unwrap_or_default().trim().chars().count() as f64;
                let width = letters * 0.6 * number(node, "font-size").unwrap();
                let x = number(node, "x").unwrap();
                let (left, right) = match node.attribute("text-anchor") {
                    Some("end") => (x - width, x),
                    Some("middle") => (x - width / 2.0, x + width / 2.0),
                    _ => (x, x + width),
                };
                let text = node.text().unwrap_or_default().trim();
                assert!(0.0 <= left && right <= size[2], "{name}: {text:?} from {left} to {right} in {view}");
            }
        }
        // A value that is no number has no place.
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{name}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let study = Study::usual();
    let page = page(&study.told());
    let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "//", "<script", "<link", "@import", "url(", "src="] {
        assert!(!without_namespace.contains(outside), "{outside}");
    }
    for svg in svgs(&page) {
        let whole = format!("<svg{svg}</svg>");
        Document::parse(&whole).unwrap_or_else(|error| panic!("{error}: {whole}"));
    }
    // The page around them is HTML whose void elements are all in its head.
    let body = &page[page.find("<body>").unwrap()..page.find("</html>").unwrap()];
    Document::parse(body).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn names_are_text_wherever_they_stand() {
    let study = Study::usual();
    let page = page(&study.told());
    for policy in Policy::ALL {
        assert!(page.contains(policy.name()), "{}", policy.name());
    }
    assert!(!page.contains("gpu <b>") && !page.contains("<deployments>") && !page.contains("<those>"));
    assert!(page.contains("<h1>four &amp; a half &lt;deployments&gt;</h1>"));
    let pictures = pictures(&study.told());
    let (_, shares) = pictures.iter().find(|(name, _)| name == "shares").unwrap();
    let document = Document::parse(shares).unwrap();
    let mut texts = document.descendants().filter(|node| node.tag_name().name() == "text");
    assert!(texts.any(|text| text.text().is_some_and(|text| text.trim() == NASTY)));
}

#[test]
fn the_same_seeds_give_the_same_bytes() {
    let (one, other) = (Study::usual(), Study::usual());
    assert_eq!(page(&one.told()), page(&other.told()));
    assert_eq!(pictures(&one.told()), pictures(&other.told()));
    let another = Study::of(scenario(), &Policy::ALL, &[4, 5, 6], None);
    assert_ne!(page(&one.told()), page(&another.told()));
}

#[test]
fn the_verdict_says_who_is_how_much_faster() {
    let study = Study::usual();
    let page = page(&study.told());
    let document = page.split("<p class=\"verdict\">").nth(1).unwrap();
    let said = document.split("</p>").next().unwrap();
    assert!(
        said.starts_with("With least-busy, 99 % of the requests have their first token within "),
        "{said}"
    );
    assert!(said.contains("; with stale-first it is ") && said.contains(" times as long"), "{said}");
    assert!(said.contains("One queue before all deployments"), "{said}");
}

#[test]
fn what_differs_by_less_than_luck_is_equally_good() {
    let study = Study::usual();
    let p99 = Metric::Of(Measure::Response, Statistic::PerMille(990));
    let best = table::best(&study.comparison, p99);
    assert!(best.contains(&Policy::LeastBusy), "{best:?}");
    let stale = Policy::ALL[2];
    assert!(!best.contains(&stale) && !best.contains(&Policy::CentralQueue), "{best:?}");
    // The intervals of these few runs overlap; the differences within each run do not reach 0.
    let [good, bad] = [Policy::LeastBusy, stale]
        .map(|policy| study.comparison.rows.iter().find(|row| row.policy == policy).unwrap());
    assert!(!good.differs_from(good, p99) && good.differs_from(bad, p99));
    let page = page(&study.told());
    assert!(page.contains("class=\"best\""));
}

#[test]
fn a_wait_that_the_first_token_tells_is_told_once() {
    let mut scenario = scenario();
    for engine in &mut scenario.engines {
        engine.first_token_time = Duration::ZERO;
    }
    let study = Study::of(scenario, &[Policy::Random, Policy::LeastBusy], &[1], None);
    let names: Vec<_> = pictures(&study.told()).into_iter().map(|(name, _)| name).collect();
    assert!(
        names.contains(&"ttft-curves".to_owned()) && !names.contains(&"wait-curves".to_owned()),
        "{names:?}"
    );
}

#[test]
fn troubles_are_shaded_and_told() {
    let study = Study::usual();
    let pictures = pictures(&study.told());
    for (name, svg) in pictures.iter().filter(|(name, _)| name.contains("time") || name.contains("flight-l"))
    {
        let is_over_time = name.contains("over-time") || name.starts_with("in-flight-l");
        assert_eq!(svg.contains("vllm-2 down"), is_over_time, "{name}");
    }
    assert!(page(&study.told()).contains("down from 60 s to 100 s"));
}

#[test]
fn what_was_not_run_is_not_drawn() {
    let quiet = Study::of(scenario(), &[Policy::RoundRobin], &[1], None);
    let page = page(&quiet.told());
    assert!(!page.contains("Over time") && !page.contains("least-busy<") && !page.contains(" ±"));
    assert!(page.contains("With round-robin, 99 % of the requests have their first token within "));
    let idle = Workload::Trace(Vec::new());
    let empty = Study::of(
        Scenario::new(scenario().engines, idle),
        &Policy::ALL,
        &[1, 2],
        Some(Duration::from_secs(1)),
    );
    for (name, svg) in pictures(&empty.told()) {
        Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!svg.contains("NaN"), "{name}");
    }
    let nothing = Study::of(scenario(), &[], &[1], None);
    assert!(super::page(&nothing.told()).contains("Nothing was compared."));
}

#[test]
fn a_picture_alone_has_a_ground() {
    let svg = chart::alone("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><g/></svg>");
    let document = Document::parse(&svg).unwrap();
    let children: Vec<_> = document.root_element().children().filter(|node| node.is_element()).collect();
    let names: Vec<_> = children.iter().map(|node| node.tag_name().name()).collect();
    assert_eq!(names, ["style", "rect", "g"]);
}
