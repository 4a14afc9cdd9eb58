use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use tempfile::TempDir;

use super::Arguments;
use crate::sim::Study;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
    let words = ["sim"].iter().chain(words).map(OsString::from);
    Cli::try_parse_from(words).map(|cli| cli.arguments)
}

fn study(words: &[&str]) -> Result<Study, String> {
    let arguments = parse(words).unwrap_or_else(|error| panic!("{error}"));
    arguments.study().map(|study| study.expect("has no mistakes")).map_err(|error| error.to_string())
}

fn refused(words: &[&str]) -> String {
    study(words).expect_err("has something wrong")
}

fn example(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.display().to_string()
}

/// Files that a command line may name.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    }
}

const SCENARIO: &str = "requests: 2\narrivals: {poisson: {load: 1.2}}\noutput_tokens: 100\n\
    deployments: [{name: gpu, slots: 2, tokens_per_second: 50, troubles: [{from: 60, until: 90, down: true}]}]\n";
const TRACE: &str = "arrival,model,prompt_tokens,output_tokens\n0,gpt,1,1\n50,chat,1,1\n100,image,1,1\n";

#[test]
fn a_configuration_is_simulated_without_the_keys_that_serving_needs() {
    for name in ["vllm-pool.yaml", "azure-regions.yaml"] {
        let study = study(&["--config", &example(name), "--load", "0.7"]).expect(name);
        assert!((study.scenario.engines.len(), study.seeds.len()) == (3, 5), "{name}: {study:?}");
    }
}

#[test]
fn seeds_do_not_run_out_of_numbers() {
    assert!(parse(&["a.yaml", "--seed", "18446744073709551615"]).is_err());
    assert!(parse(&["a.yaml", "--seed", "1000000001"]).is_err());
    let files = Files::new();
    let file = files.write("a.yaml", SCENARIO);
    let study = study(&[&file, "--seed", "1000000000", "--seeds", "1000"]).expect("is right");
    assert_eq!(study.seeds.last(), Some(&1_000_000_999));
}

#[test]
fn a_trace_that_is_named_is_cut_by_the_command_line_alone() {
    let files = Files::new();
    let (file, trace) = (files.write("a.yaml", SCENARIO), files.write("trace.csv", TRACE));
    let study =
        |more: &[&str]| study(&[&[file.as_str(), "--trace", &trace], more].concat()).expect("is right");
    assert_eq!(study(&[]).requests(), 3);
    assert_eq!(study(&["--requests", "2"]).requests(), 2);
    assert_eq!(study(&["--model", "chat"]).requests(), 1);
    let own = SCENARIO.replace(
        "arrivals: {poisson: {load: 1.2}}\noutput_tokens: 100",
        "trace: {file: trace.csv, speed: 2}",
    );
    files.write("a.yaml", &own);
    assert_eq!(study(&[]).notes, ["not applied to --trace: `speed` of the scenario's own `trace`"]);
}

#[test]
fn what_is_odd_is_told_of_what_is_run() {
    let files = Files::new();
    let file = files.write("a.yaml", SCENARIO);
    let notes = |more: &[&str]| study(&[&[file.as_str()], more].concat()).expect("is right").notes;
    let overload = "this is 120 % of what the deployments can do: the queue grows as long as the run lasts";
    let late = "the trouble of gpu after 60 s is not seen: the last request comes after about 2 s";
    assert_eq!(notes(&[]), [overload, late]);
    assert_eq!(notes(&["--requests", "1000"]), [overload]);
    assert_eq!(notes(&["--load", "0.5", "--requests", "1000"]), [""; 0]);
    let trace = files.write("trace.csv", TRACE);
    assert_eq!(
        notes(&["--trace", &trace, "--model", "chat"]).len(),
        2,
        "others' lines, and the late trouble"
    );
}

#[test]
fn a_model_that_chooses_nothing_is_refused() {
    let files = Files::new();
    let file = files.write("a.yaml", SCENARIO);
    assert!(refused(&[&file, "--model", "chat"]).starts_with("--model takes requests of a --trace, or"));
}

#[test]
fn an_alias_takes_its_own_requests_and_those_of_its_model_group() {
    let files = Files::new();
    let trace = files.write("trace.csv", TRACE);
    let config = files.write(
        "config.yaml",
        "model_list: [{model_name: chat, litellm_params: {model: simulated/m}}]\n\
         router_settings: {model_group_alias: {gpt: chat}}\n",
    );
    let requests = |model: &str| {
        study(&["--config", &config, "--trace", &trace, "--model", model]).expect("is right").requests()
    };
    assert_eq!((requests("gpt"), requests("chat")), (2, 1));
}

#[test]
fn a_policy_that_is_named_twice_is_refused() {
    assert_eq!(
        refused(&["a.yaml", "--policies", "least-busy,random,least-busy"]),
        "--policies has `least-busy` twice: keep one of the two"
    );
}

#[test]
fn the_likeliest_slips_get_a_hint() {
    let replicas = "there is no file `replica`: did you mean `leastbusy sim replicas`?";
    assert_eq!(refused(&["replica"]), replicas);
    assert_eq!(refused(&["replica", "a.yaml", "--target", "p99_ttft=1s"]), replicas);
    assert_eq!(refused(&["a.yaml", "b.yaml"]), "`b.yaml` is one too many: name one scenario file");
    let scenario = example("sim/vllm-day.yaml");
    assert_eq!(
        refused(&["--config", &scenario, "--rate", "1"]),
        format!("{scenario} is a scenario: leave --config out, `leastbusy sim {scenario}`")
    );
}
