//! What a person writes, and what they are told.

mod capacity;
mod checks;
mod client_keys;
mod examples;
mod fallbacks;
mod filters;
mod identity;
mod keys;
mod places;
mod reading;
mod redis;
mod reliability;
mod secrets;
mod shared_state;
mod strategies;
mod wire;

use super::*;

/// One deployment that is right, for texts about something else.
const MODEL_LIST: &str = "model_list:\n- model_name: chat\n  litellm_params: {model: hosted_vllm/m, api_base: http://gpu-a:8000/v1}\n";

fn read(text: &str) -> Loaded {
    read_with(text, &[])
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Loaded {
    match parse("config.yaml", text, &variables.iter().copied().collect()) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

fn refused(text: &str) -> LoadError {
    refused_with(text, &[])
}

fn refused_with(text: &str, variables: &[(&str, &str)]) -> LoadError {
    parse("config.yaml", text, &variables.iter().copied().collect()).expect_err("has mistakes")
}

/// Each mistake as `line:column what / way out`.
fn mistakes(text: &str) -> Vec<String> {
    brief(&refused(text).mistakes)
}

/// Each warning as `line:column what / way out`.
fn warnings(text: &str) -> Vec<String> {
    brief(&read(text).warnings)
}

fn brief(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| {
        let place = finding.place.as_ref().expect("a file has places");
        let position = match place.position {
            Some((line, column)) => format!("{line}:{column}"),
            None => place.file.clone(),
        };
        format!("{position} {} / {}", finding.what, finding.way_out.as_deref().unwrap_or("-"))
    };
    findings.iter().map(one).collect()
}

/// A file with one deployment whose `litellm_params` get one more line, which is line 6.
fn with_param(line: &str) -> String {
    format!(
        "model_list:\n- model_name: chat\n  litellm_params:\n    model: hosted_vllm/m\n    api_base: http://gpu-a:8000/v1\n    {line}\n"
    )
}
