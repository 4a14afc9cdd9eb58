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

const AZURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/azure-regions.yaml");
const POOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/unequal-vllm-pool.yaml");
const DAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim/vllm-day.yaml");

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
    assert!(verdict.ends_with(" keep p99_ttft within 1 s."), "{told}");
    assert!(answer.svg.contains("target 1 s"), "the picture has the target");
}

#[test]
fn a_target_that_no_number_reaches_is_said_to_be_so() {
    let words = ["replicas", POOL, "--rate", "30", "--requests", "1000", "--seeds", "1", "--most", "8"];
    let answer = asked(&[&words[..], &["--target", "mean_response=1ms"]].concat()).unwrap();
    let told = text(&answer);
    let verdict = told.lines().last().unwrap();
    assert!(verdict.contains(") keeps mean_response within 1 ms: 8 have "), "{told}");
    let tried: Vec<&str> = told
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verdict.starts_with(&format!("No number tried ({})", tried.join(", "))), "{told}");
}

#[test]
fn of_many_numbers_tried_the_first_and_the_last_are_told() {
    let words = ["replicas", DAY, "--requests", "200", "--seeds", "1", "--target", "p99_ttft=0.01s"];
    let told = text(&asked(&words).unwrap());
    let says = "No number tried (3, 5, 9, ... up to 256) keeps p99_ttft within 0.01 s: 256 have 100 ms.";
    assert_eq!(told.lines().last(), Some(says));
}

#[test]
fn a_load_that_no_number_bears_is_said_to_be_so_even_where_the_target_is_reached() {
    let words = ["replicas", DAY, "--requests", "50", "--seeds", "1", "--rate", "48", "--most", "8"];
    let answer = asked(&[&words[..], &["--target", "errors=100%"]].concat()).unwrap();
    let told = text(&answer);
    let verdict = told.lines().last().unwrap();
    assert!(
        verdict.starts_with("No number up to 8 can bear this load: with 8 the fleet is asked for "),
        "{told}"
    );
    assert!(!told.contains("enough"), "{told}");
}

#[test]
fn bounds_are_told_in_the_unit_they_were_given_in() {
    let words = ["replicas", DAY, "--requests", "200", "--seeds", "1"];
    for (target, says) in [
        ("errors=0.1%", "keep errors within 0.1 %."),
        ("errors=0.001", "keep errors within 0.001."),
        ("p99_ttft=2500ms", "keep p99_ttft within 2500 ms."),
        ("p99_ttft=90", "keep p99_ttft within 90 s."),
        ("p99_slowdown=50", "keep p99_slowdown within 50."),
    ] {
        let told = text(&asked(&[&words[..], &["--target", target]].concat()).unwrap());
        assert!(told.trim_end().ends_with(says), "{target}: {told}");
    }
}

#[test]
fn replicas_says_whose_troubles_are_left_out_and_who_is_not_counted() {
    let words = ["replicas", AZURE, "--requests", "500", "--seeds", "1", "--target", "errors=100%"];
    let told = text(&asked(&[&words[..], &["--of", "limited-1"]].concat()).unwrap());
    assert!(told.contains("\n1 deployment like limited-1 keeps errors within 100 %.\n"), "{told}");
    assert!(told.contains("\nThe troubles of limited-1 are left out: copies of it are well.\n"), "{told}");
    assert!(told.ends_with("\nNot counted, because of troubles of their own: limited-2.\n"), "{told}");
    let told = text(&asked(&[&words[..], &["--of", "near-1"]].concat()).unwrap());
    assert!(!told.contains("troubles"), "{told}");
}

#[test]
fn weights_that_make_no_difference_are_said_to_make_none() {
    let words = ["weights", POOL, "--requests", "300", "--seeds", "2", "--figure", "errors"];
    let told = text(&asked(&words).unwrap());
    assert!(told.contains("makes no difference\n"), "{told}");
    assert!(told.ends_with("\nerrors is 0 %: the weights make no difference to it.\n"), "{told}");
}

#[test]
fn a_best_weight_at_the_edge_of_what_was_tried_is_said_to_be_there() {
    // So little load that all of it has room on the large ones, which are faster.
    let words = ["weights", POOL, "--requests", "2000", "--seeds", "3", "--load", "0.3"];
    let told = text(&asked(&words).unwrap());
    let says = "The best weight of l4 is at the edge of what was tried: one beyond may be better.";
    assert_eq!(told.lines().last(), Some(says), "{told}");
}

#[test]
fn an_outage_at_the_very_begin_has_no_part_before_it() {
    let words = ["outage", DAY, "--seeds", "1", "--requests", "2000", "--lasts", "30s", "--at", "0s"];
    let told = text(&asked(&words).unwrap());
    let before: Vec<&str> =
        told.lines().find(|line| line.starts_with("before ")).unwrap().split_whitespace().collect();
    assert_eq!(before, ["before", "-", "-", "-", "-"], "{told}");
    assert!(!told.contains("times as long as before"), "{told}");
}

#[test]
fn an_outage_is_told_before_while_it_lasts_and_after() {
    let answer = asked(&["outage", DAY, "--seeds", "2", "--requests", "8000", "--lasts", "30s"]).unwrap();
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
    let refused = asked(&["weights", DAY, "--requests", "500"]).err();
    let all_alike = "all deployments of the scenario are alike: their weights are best equal";
    assert_eq!(refused.as_deref(), Some(all_alike));
}

#[test]
fn mistakes_in_a_question_name_the_way_out() {
    for (words, way_out) in [
        (vec!["replicas", POOL, "--target", "p99_tfft=1s"], "did you mean p99_ttft?"),
        (vec!["replicas", POOL, "--target", "p99_ttft"], "write FIGURE=MOST, such as p99_ttft=500ms"),
        (vec!["replicas", POOL, "--target", "p99_ttft=fast"], "`fast` is no time: write 500ms, 1.5s or 2"),
        (vec!["replicas", POOL, "--target", "errors=-1"], "`-1` is no number of at least 0"),
        (vec!["replicas", POOL, "--target", "errors=150%"], "write at most 100%, such as 0.1%"),
        (vec!["replicas", POOL, "--target", "errors=2"], "`2` is more than all requests"),
        (vec!["replicas", POOL, "--target", "p99_slowdown=50%"], "p99_slowdown is no share"),
        (vec!["replicas", POOL, "--target", "p99_ttft=50%"], "`50%` is no time: write 500ms, 1.5s or 2"),
        (vec!["outage", DAY, "--at", "10h", "--requests", "2000"], "--at: the run lasts 248 s"),
        (vec!["outage", DAY, "--lasts", "1ms"], "an outage lasts at least 358 ms"),
        (vec!["weights", POOL, "--figure", "median"], "write one of "),
        (vec!["outage", DAY, "--lasts", "a while"], "`a while` is no time"),
        (
            vec!["outage", DAY, "--deployment", "nobody", "--requests", "10"],
            "there is no deployment \"nobody\"",
        ),
        (vec!["outage", DAY, "--policy", "leastbusy"], "did you mean least-busy?"),
    ] {
        let error = asked(&words).err().unwrap_or_default();
        assert!(error.contains(way_out), "{words:?}: {error}");
    }
}

#[test]
fn instances_tells_the_figure_by_their_number_and_by_what_they_share() {
    let words =
        ["instances", POOL, "--requests", "3000", "--seeds", "2", "--count", "1,3", "--every", "1s,20ms"];
    let answer = asked(&words).unwrap();
    let told = text(&answer);
    let lines: Vec<&str> = told.lines().collect();
    let head: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(head, ["p99_wait,", "shared", "1", "instance", "3", "instances"]);
    let begins = |line: usize, with: &str| assert!(lines[line].starts_with(with), "{told}");
    begins(2, "every 20 ms ");
    begins(3, "every 1 s ");
    begins(4, "nothing ");
    // One instance has nobody to share with: the first column is the same, and the last line says it again.
    let (alone, _) = lines[2][20..].trim_start().split_at(lines[2][20..39].trim_start().len());
    assert!(lines[3][20..39].ends_with(alone) && lines[4][20..39].ends_with(alone), "{told}");
    assert_eq!(lines[6], format!("One instance, which sees everything, has {alone}."));
    assert!(answer.svg.contains("one instance"), "the picture has what is to be reached");
}

#[test]
fn instances_that_would_hear_each_other_too_often_are_refused() {
    let error =
        asked(&["instances", POOL, "--count", "4,1000", "--every", "1s,20ms"]).err().unwrap_or_default();
    assert!(error.contains("every 999ms or more seldom"), "{error}");
}

#[test]
fn instances_refuses_numbers_and_times_that_make_no_sense() {
    let refusal = |more: &[&str]| {
        let error = question(&[&["instances", POOL], more].concat()).unwrap_err();
        let line = error.lines().next().unwrap_or_default().to_owned();
        line.rsplit_once("': ").map_or(line.clone(), |(_, why)| why.to_owned())
    };
    assert_eq!(refusal(&["--count", "4,0"]), "out of range: 1 to 1000");
    assert_eq!(refusal(&["--count", "four"]), "`four` is not a whole number");
    assert_eq!(refusal(&["--every", "20ms,0"]), "out of range: 1ms to 1h");
    assert_eq!(refusal(&["--every", "often"]), "`often` is no time: write 20ms, 100ms or 1s");
}
