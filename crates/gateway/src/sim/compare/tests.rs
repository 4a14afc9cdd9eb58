use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::adapter::strip_str;
use clap::Parser;
use leastbusy_sim::Comparison;
use serde_json::Value;

use super::{check_places, command};
use crate::sim::table::Columns;
use crate::sim::{Arguments, Study, html, json, scenario, table};

fn told(text: &str) -> (Study, Comparison) {
    let Ok((written, _)) = scenario::parse("scenario.yaml", text) else { panic!("the scenario is right") };
    let study = Study {
        title: "a fleet".to_owned(),
        scenario: written.scenario,
        policies: written.policies,
        seeds: (1..).take(written.seeds).collect(),
        notes: Vec::new(),
    };
    let comparison = study.run(NonZeroUsize::MIN, &|| {});
    (study, comparison)
}

fn reports(study: &Study, comparison: &Comparison) -> (String, Value) {
    let mut out = Vec::new();
    table::write(&mut out, study, comparison, Columns::Chosen).unwrap();
    let text = strip_str(&String::from_utf8(out).unwrap()).to_string();
    (text, serde_json::from_str(&json::text(study, comparison)).unwrap())
}

/// Three deployments whose answers share their speed: the central queue runs them as one.
#[test]
fn a_fleet_that_is_run_as_one_has_no_figures_of_its_deployments() {
    let (study, comparison) = told(
        "requests: 300\nseeds: 2\narrivals: {poisson: {load: 0.5}}\noutput_tokens: 50\ndeployments:\n  \
         - {name: vllm, count: 3, slots: 16, full_speed_slots: 4, tokens_per_second: 50}\n",
    );
    let (text, value) = reports(&study, &comparison);
    let line = text.lines().find(|line| line.starts_with("vllm-2")).unwrap();
    assert!(line.ends_with('-') && line.contains('%'), "{text}");
    let central = value["policies"].as_array().unwrap().last().unwrap();
    assert_eq!(central["policy"], "central-queue");
    assert!(central["deployments"][1]["share_of_answers"].is_null(), "{central}");
}

#[test]
fn who_answers_nothing_has_no_figures_and_is_never_the_best() {
    let (study, comparison) = told(
        "requests: 300\nseeds: 3\narrivals: {poisson: {per_second: 5}}\noutput_tokens: 50\n\
         policies: [random, stale-first]\nrouter: {num_retries: 0}\ndeployments:\n  \
         - {name: dead, slots: 4, tokens_per_second: 50, troubles: [{from: 0, until: 1h, down: true}]}\n",
    );
    let (text, value) = reports(&study, &comparison);
    assert!(text.contains("every request got an error") || text.contains(" - "), "{text}");
    assert!(value["policies"][0]["metrics"]["p99_ttft"]["mean"].is_null(), "{value}");
    let page = html::page(&html::Told {
        title: &study.title,
        command: "leastbusy sim",
        scenario: &study.scenario,
        seeds: &study.seeds,
        comparison: &comparison,
        timelines: &[],
        notes: &[],
    });
    assert!(!page.contains("NaN") && !page.contains("class=\"best\""), "no figure, no best");
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

#[test]
fn the_command_can_be_pasted_into_a_shell() {
    let words =
        ["sim", "my runs/a.yaml", "--policies=random,least-busy", "--config", "it's", "", "a;b", "$HOME"];
    assert_eq!(
        command(words.into_iter().map(OsString::from)),
        r"leastbusy sim 'my runs/a.yaml' --policies=random,least-busy --config 'it'\''s' '' 'a;b' '$HOME'"
    );
}

#[cfg(unix)]
#[test]
fn a_word_that_is_no_unicode_is_told_as_well_as_can_be() {
    use std::os::unix::ffi::OsStringExt;
    let word = OsString::from_vec(b"\xff.html".to_vec());
    assert_eq!(command([word].into_iter()), "leastbusy '\u{fffd}.html'");
}

#[test]
fn a_place_that_cannot_be_written_to_is_found_before_the_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let check = |option: &str, path: PathBuf| {
        let words = [OsString::from("sim"), option.into(), path.into()];
        let arguments = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).arguments;
        check_places(&arguments, arguments.json.as_deref())
    };
    for option in ["--json", "--html"] {
        assert_eq!(check(option, at("new")), Ok(()));
        assert!(!at("new").exists(), "{option}");
        let refused = check(option, at("none/report")).expect_err("there is no such directory");
        assert!(
            refused.contains(": there is no directory ") && refused.ends_with("name another file"),
            "{refused}"
        );
        assert!(check(option, folder.path().into()).expect_err("a directory").ends_with("name a file"));
    }
    let page = check("--html", "-".into()).expect_err("no page on a terminal");
    assert_eq!(page, "--html writes its page to a file: name one, such as report.html");
    std::fs::write(at("file"), "").expect("writes");
    assert!(check("--pictures", at("file/pictures")).is_err());
    assert_eq!(check("--pictures", at("new/pictures")), Ok(()));
}
