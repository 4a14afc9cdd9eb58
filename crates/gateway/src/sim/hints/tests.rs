use std::fs;
use std::path::Path;

use super::{is_of_a_scenario, of_no_file};
use crate::config::{self, Environment};

#[test]
fn a_word_that_is_no_file_may_be_a_question() {
    let hint = of_no_file(Path::new("replica"));
    assert_eq!(hint.as_deref(), Some("there is no file `replica`: did you mean `leastbusy sim replicas`?"));
    assert!(of_no_file(Path::new("outages")).is_some_and(|hint| hint.contains("sim outage`")));
    assert_eq!(of_no_file(Path::new("fleet.yaml")), None);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("weights"), "").expect("writes");
    assert_eq!(of_no_file(&folder.path().join("weights")), None, "it is there");
}

#[test]
fn two_keys_of_a_scenario_make_one() {
    let refused = |text: &str| config::parse("file", text, &Environment::empty()).expect_err(text);
    let scenario = "requests: 9\narrivals: {poisson: {load: 1}}\ndeployments: [{name: a}]\n";
    assert!(is_of_a_scenario(&refused(scenario)));
    assert!(!is_of_a_scenario(&refused("model_list: []\ndeployments: []\n")));
    assert!(!is_of_a_scenario(&refused("model_lst: []\n")));
}
