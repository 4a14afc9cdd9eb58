use std::num::NonZeroUsize;

use anstream::adapter::strip_str;
use clap::Parser;
use leastbusy_sim::Asked;

use super::{Answer, Question};
use crate::sim::{Arguments, Study};

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

const POOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/unequal-vllm-pool.yaml");
const OUTAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/vllm-day.yaml");
const AZURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/azure-regions.yaml");

fn question(words: &[&str]) -> Result<Question, String> {
    let words = ["sim"].into_iter().chain(words.iter().copied());
    let parsed = CommandLine::try_parse_from(words).map_err(|error| error.to_string())?;
    Ok(parsed.arguments.question.expect("a question was asked"))
}

fn asked(words: &[&str]) -> Result<Answer, String> {
    let question = question(words)?;
    let about = question.about();
    let study: Study = about.what.study().unwrap().expect("the scenario is right");
    let asked = Asked {
        policy: about.policy,
        seeds: &study.seeds,
        threads: NonZeroUsize::new(2).unwrap(),
        done: &|| {},
    };
    question.ask(&study, &asked)
}

fn text(answer: &Answer) -> String {
    strip_str(&answer.text).to_string()
}

#[test]
fn replicas_tells_each_number_that_was_tried_and_which_is_enough() {
    let words = ["replicas", POOL, "--rate", "30", "--requests", "4000", "--seeds", "2"];
    let answer = asked(&[&words[..], &["--target", "p99_ttft=1s"]].concat()).unwrap();
    let told = text(&answer);
    let enough: Vec<&str> = told.lines().filter(|line| line.ends_with("enough")).collect();
    assert_eq!(enough.len(), 1, "{told}");
    let number = enough[0].split_whitespace().next().unwrap();
    let verdict = told.lines().last().unwrap();
    assert!(verdict.starts_with(&format!("{number} deployments like ")), "{told}");
    assert!(verdict.ends_with(" keep p99_ttft within 1.00 s."), "{told}");
    assert!(answer.svg.contains("target 1.00 s"), "the picture has the target");
}

#[test]
fn a_target_that_no_number_reaches_is_said_to_be_so() {
    let words = ["replicas", POOL, "--rate", "30", "--requests", "1000", "--seeds", "1", "--most", "8"];
    let answer = asked(&[&words[..], &["--target", "mean_response=1ms"]].concat()).unwrap();
    assert!(
        text(&answer).contains("No number up to 8 keeps mean_response within 1.00 ms"),
        "{}",
        text(&answer)
    );
}

#[test]
fn an_outage_is_told_before_while_it_lasts_and_after() {
    let answer = asked(&["outage", OUTAGE, "--seeds", "2", "--requests", "8000", "--lasts", "30s"]).unwrap();
    let told = text(&answer);
    for begin in ["before ", "while it lasts ", "after "] {
        assert!(told.lines().any(|line| line.starts_with(begin)), "{told}");
    }
    assert!(answer.svg.contains(" down"), "the picture shows when");
    let wide = told.lines().skip(1).find(|line| 120 < line.chars().count());
    assert_eq!(wide, None, "{told}");
}

#[test]
fn weights_are_told_beside_those_given_and_alike_deployments_have_none_to_choose() {
    let answer = asked(&["weights", POOL, "--requests", "2000", "--seeds", "1"]).unwrap();
    let told = text(&answer);
    assert!(told.contains("as given") && told.contains("mean_response is "), "{told}");
    let refused = asked(&["weights", AZURE, "--requests", "500"]).err();
    let all_alike = "all deployments of the scenario are alike: their weights are best equal";
    assert!(refused.is_none() || refused.as_deref() == Some(all_alike), "{refused:?}");
}

#[test]
fn mistakes_in_a_question_name_the_way_out() {
    for (words, way_out) in [
        (vec!["replicas", POOL, "--target", "p99_tfft=1s"], "did you mean p99_ttft?"),
        (vec!["replicas", POOL, "--target", "p99_ttft"], "write FIGURE=MOST, such as p99_ttft=500ms"),
        (vec!["replicas", POOL, "--target", "p99_ttft=fast"], "`fast` is no time: write 500ms, 1.5s or 2"),
        (vec!["replicas", POOL, "--target", "errors=-1"], "`-1` is no number of at least 0"),
        (vec!["weights", POOL, "--figure", "median"], "write one of "),
        (vec!["outage", OUTAGE, "--lasts", "a while"], "`a while` is no time"),
        (
            vec!["outage", OUTAGE, "--deployment", "nobody", "--requests", "10"],
            "there is no deployment \"nobody\"",
        ),
        (vec!["outage", OUTAGE, "--policy", "leastbusy"], "did you mean least-busy?"),
    ] {
        let error = asked(&words).err().unwrap_or_default();
        assert!(error.contains(way_out), "{words:?}: {error}");
    }
}
