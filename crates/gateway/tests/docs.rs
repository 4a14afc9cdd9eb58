//! The papers name what the code has: endpoints, metrics, outcomes, settings.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use leastbusy_balance::Outcome;
use leastbusy_gateway::config::{Config, Deployment};
use leastbusy_gateway::openai::endpoint::ENDPOINTS;
use leastbusy_gateway::router::Table;
use leastbusy_gateway::telemetry::metrics::Metrics;

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

/// The names of all metrics of a scrape, as Prometheus stores them.
fn scraped() -> BTreeSet<String> {
    let mut deployment = Deployment::new("chat", "hosted_vllm/m");
    deployment.api_base = Some("http://127.0.0.1:1/v1".to_owned());
    let config = Config { deployments: vec![deployment], ..Config::default() };
    let table = Table::new(&config, &HashMap::new()).expect("a configuration without mistakes");
    let text = Metrics::new(&table).render();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

#[test]
fn every_endpoint_stands_in_the_page_about_http() {
    let paths = ENDPOINTS.iter().map(|endpoint| endpoint.path);
    assert_eq!(missing(&paper("docs/http-api.md"), paths), [""; 0]);
}

#[test]
fn every_metric_and_every_outcome_stands_in_the_page_about_metrics() {
    let page = paper("docs/metrics.md");
    let scraped = scraped();
    assert!(scraped.contains("leastbusy_in_flight") && scraped.len() > 5, "{scraped:?}");
    assert_eq!(missing(&page, scraped.iter().map(String::as_str)), [""; 0]);
    assert_eq!(missing(&page, Outcome::KINDS), [""; 0]);
}

#[test]
fn the_page_about_metrics_names_none_that_is_not_there() {
    let page = paper("docs/metrics.md");
    let scraped = scraped();
    let named = page.split('`').filter(|code| {
        let letters = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
        code.starts_with("leastbusy_") && code.chars().all(letters)
    });
    let gone: Vec<_> = named.filter(|name| !scraped.contains(*name)).collect();
    assert_eq!(gone, [""; 0]);
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
            let file = target.split('#').next().unwrap_or(target);
            if !target.contains("://") && !file.is_empty() && !folder.join(file).exists() {
                let line = text[..before].matches('\n').count() + 1;
                broken.push(format!("{}:{line}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
