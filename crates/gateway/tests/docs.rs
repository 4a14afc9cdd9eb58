//! The papers name what the code has, and what ARCHITECTURE.md says there is none of, there is none of.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use leastbusy_balance::{Blame, Outcome, Phase, Remedy, Verdict};
use leastbusy_gateway::config::{Config, Deployment, EngineKind, HealthChecks, SharedState};
use leastbusy_gateway::openai::endpoint::ENDPOINTS;
use leastbusy_gateway::router::{Probe, Table};
use leastbusy_gateway::shared::Status;
use leastbusy_gateway::telemetry::metrics::Metrics;
use leastbusy_gateway::upstream::classify;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("this crate lies in crates/")
}

fn paper(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Which of `wanted` do not stand in a paper as code.
fn missing<'a>(paper: &str, wanted: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    wanted.into_iter().filter(|name| !paper.contains(&format!("`{name}`"))).collect()
}

/// A scrape of a gateway that has served nothing yet; all its metrics are there from the start.
fn scrape() -> String {
    let mut deployment = Deployment::new("chat", "hosted_vllm/m");
    deployment.api_base = Some("http://127.0.0.1:1/v1".to_owned());
    deployment.engine.kind = Some(EngineKind::Vllm);
    let mut config = Config { deployments: vec![deployment], ..Config::default() };
    config.router.filters.health_checks = Some(HealthChecks::default());
    let mut table = Table::new(&config, &HashMap::new()).expect("a configuration without mistakes");
    table.count_tokens();
    let board = table.health_board().expect("deployments are checked");
    let _ = board.note(table.deployment(0).counted_as, Probe::default(), Instant::now());
    let status = Status::new(&SharedState::default(), "id".to_owned(), "place".to_owned());
    let metrics = Metrics::new(&table, Some(Arc::new(status)));
    let _ = metrics.key("team-a");
    metrics.render()
}

/// The names of all series of a scrape, as Prometheus stores them.
fn series(scrape: &str) -> BTreeSet<&str> {
    let lines = scrape.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[test]
fn every_endpoint_stands_in_the_page_about_http() {
    let paths = ENDPOINTS.iter().map(|endpoint| endpoint.path);
    assert_eq!(missing(&paper("docs/http-api.md"), paths), [""; 0]);
}

#[test]
fn every_metric_and_every_outcome_stands_in_the_page_about_metrics() {
    let (page, scrape) = (paper("docs/metrics.md"), scrape());
    let series = series(&scrape);
    assert!(series.contains("leastbusy_in_flight") && series.len() > 5, "{series:?}");
    assert_eq!(missing(&page, series), [""; 0]);
    assert_eq!(missing(&page, Outcome::KINDS), [""; 0]);
}

#[test]
fn the_page_about_metrics_names_none_that_is_not_there() {
    let (page, scrape) = (paper("docs/metrics.md"), scrape());
    let mut there = series(&scrape);
    // A histogram goes by its own name, too.
    there.extend(scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()));
    let named = page.split('`').filter(|code| {
        let letters = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
        code.starts_with("leastbusy_") && code.chars().all(letters)
    });
    let gone: Vec<_> = named.filter(|name| !there.contains(*name)).collect();
    assert_eq!(gone, [""; 0]);
}

/// The cells of a table's rows, from the table whose first column has this heading.
fn table<'a>(paper: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let mut lines = paper.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    assert!(lines.next().is_some(), "a table of `{heading}`");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// One outcome of each kind.
fn outcomes() -> Vec<Outcome> {
    let timeouts = [Phase::Connect, Phase::FirstByte, Phase::Idle, Phase::Total].map(Outcome::Timeout);
    let mut outcomes = vec![
        Outcome::Success,
        Outcome::RateLimited { retry_after: None },
        Outcome::Authentication,
        Outcome::NotFound,
        Outcome::ConnectionFailed,
        Outcome::BrokenAnswer,
        Outcome::ServerError,
        Outcome::BadGateway,
        Outcome::Overloaded { retry_after: None },
        Outcome::BadRequest,
        Outcome::ContextWindow,
        Outcome::ContentPolicy,
        Outcome::ClientLeft,
        Outcome::GatewayLimit,
        Outcome::HedgeLost,
    ];
    outcomes.extend(timeouts);
    outcomes.sort_by_key(|outcome| outcome.kind());
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.name()).collect();
    assert_eq!(names, Outcome::KINDS);
    outcomes
}

#[test]
fn the_page_about_reliability_says_of_each_outcome_what_the_code_says() {
    let page = paper("docs/reliability.md");
    let said: Vec<[String; 4]> = table(&page, "outcome")
        .iter()
        .map(|row| [row[0], row[2], row[3], row[4]].map(str::to_owned))
        .collect();
    let true_of = |outcome: Outcome| {
        let blame = match outcome.blame() {
            Blame::Nobody => "nobody",
            Blame::Client => "client",
            Blame::Deployment => "deployment",
            Blame::Gateway => "gateway",
        };
        let remedy = match outcome.remedy() {
            Remedy::None => "none",
            Remedy::OtherGroup => "other group",
            Remedy::OtherDeployment => "other deployment",
            Remedy::Again => "again",
        };
        let verdict = match outcome.verdict() {
            Verdict::Well => "well",
            Verdict::Silent => "silent",
            Verdict::Ill => "ill",
            Verdict::Gone => "gone",
            Verdict::Full => "full",
            Verdict::Misconfigured => "misconfigured",
        };
        [format!("`{}`", outcome.name()), blame.to_owned(), remedy.to_owned(), verdict.to_owned()]
    };
    assert_eq!(said, outcomes().into_iter().map(true_of).collect::<Vec<_>>());
}

#[test]
fn the_page_about_reliability_gives_each_status_its_outcome() {
    let page = paper("docs/reliability.md");
    let rows = table(&page, "status");
    let by_name = |wanted: &str| {
        let row = rows.iter().find(|row| row[0].split(", ").any(|status| status == wanted));
        row.map(|row| row[1])
    };
    for number in 200..600 {
        let status = StatusCode::from_u16(number).expect("three digits");
        let outcome = classify::outcome(status, &HeaderMap::new(), std::time::SystemTime::now);
        let rest = ["below 400", "every other 4xx", "every other 5xx"][usize::from(number / 100).max(3) - 3];
        let said = by_name(&number.to_string()).or_else(|| by_name(rest));
        assert_eq!(said, Some(&*format!("`{}`", outcome.name())), "{number}");
    }
}

#[test]
fn the_page_about_reliability_gives_each_code_its_outcome() {
    let page = paper("docs/reliability.md");
    for (heading, codes) in
        [("code or type", &classify::CODES[..]), ("code or type of an event", &classify::EVENT_TYPES)]
    {
        let true_of: Vec<_> = codes
            .iter()
            .map(|(code, outcome)| [format!("`{code}`"), format!("`{}`", outcome.name())])
            .collect();
        assert_eq!(table(&page, heading), true_of, "{heading}");
    }
}

/// The anchors of a paper's headings, as code hosts make them.
fn anchors(paper: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut anchors = BTreeSet::new();
    for line in paper.lines() {
        is_code ^= line.starts_with("```");
        let heading =
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#') && !is_code);
        let Some(heading) = heading else { continue };
        let letters = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>();
        anchors.insert(letters.trim().replace(' ', "-"));
    }
    anchors
}

#[test]
fn links_from_paper_to_paper_lead_somewhere() {
    let root = repository();
    let mut papers = vec!["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .into_iter()
        .map(|name| root.join(name))
        .collect::<Vec<_>>();
    let docs = fs::read_dir(root.join("docs")).expect("a folder with papers");
    papers.extend(docs.map(|entry| entry.expect("a readable folder").path()));
    papers.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut broken = Vec::new();
    for path in papers {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = path.parent().expect("a file lies in a folder");
        for (before, rest) in text.match_indices("](").map(|(at, _)| (at, &text[at + 2..])) {
            let target = &rest[..rest.find(')').unwrap_or(rest.len())];
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { path.clone() } else { folder.join(file) };
            let leads = there.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&there).unwrap_or_default()).contains(anchor));
            if !leads {
                let line = text[..before].matches('\n').count() + 1;
                broken.push(format!("{}:{line}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The gateway's files that name `needle` in code, from `src/` on.
fn files_with(needle: &str) -> Vec<String> {
    let src = repository().join("crates/gateway/src");
    let (mut found, mut folders) = (Vec::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).expect("a readable file");
            if source.lines().any(|line| line.split("//").next().unwrap_or(line).contains(needle)) {
                found.push(path.strip_prefix(&src).expect("found below src").display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_deployment_is_asked_only_with_an_attempt_that_holds_a_lease() {
    let callers = files_with("send::send(");
    assert_eq!(callers, ["engine_load/poll.rs", "router/once.rs", "router/probe.rs"]);
    for file in &callers[1..] {
        let source = paper(&format!("crates/gateway/src/{file}"));
        let (lease, send) =
            (source.find("attempt: Attempt").or(source.find(".pick(")), source.find("send::send("));
        assert!(lease.is_some() && lease < send, "{file} has an attempt before it sends");
    }
    assert_eq!(files_with("Attempt::begin("), ["router/dispatch.rs"]);
    // Reading a server's page of metrics asks no model for anything: it has no body, and no other page to ask for.
    let poll = paper("crates/gateway/src/engine_load/poll.rs");
    assert!(poll.contains("method: Method::GET") && poll.contains("RequestBody::Empty"));
    assert_eq!(poll.matches("Method::").count(), 1, "it reads, and does nothing else");
    assert_eq!(files_with("Scrape {"), ["engine_load/poll.rs", "serve/engine_load.rs"]);
    assert!(paper("crates/gateway/src/serve/engine_load.rs").contains("format!(\"{}/metrics\""));
}

#[test]
fn metrics_are_named_in_one_place() {
    let files = files_with("prometheus_client");
    assert!(files.iter().all(|file| file.starts_with("telemetry/metrics")) && !files.is_empty(), "{files:?}");
}

#[test]
fn files_that_the_architecture_names_are_there() {
    let root = repository();
    let architecture = paper("ARCHITECTURE.md");
    let named = architecture.split('`').skip(1).step_by(2).filter(|code| !code.contains(char::is_whitespace));
    let files: Vec<_> = named
        .filter(|code| code.contains('/') || [".rs", ".toml"].iter().any(|end| code.ends_with(end)))
        .collect();
    assert!(files.len() > 10, "{files:?}");
    let gone: Vec<_> = files
        .into_iter()
        .filter(|file| !root.join(file).exists() && !root.join("crates/gateway/src").join(file).exists())
        .collect();
    assert_eq!(gone, [""; 0]);
}
