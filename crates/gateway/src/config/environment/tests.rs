use super::Environment;
use crate::config::parse;

const UNSET: &str = "
model_list:
  - {model_name: chat, litellm_params: {model: os.environ/MODEL, api_base: os.environ/A, api_key: os.environ/K, weight: os.environ/W}}
  - {model_name: chat, litellm_params: {model: azure/gpt, api_base: os.environ/EAST, api_version: os.environ/V}}
  - {model_name: chat, litellm_params: {model: azure/gpt, api_base: os.environ/WEST, api_version: os.environ/V}}
  - {model_name: chat, litellm_params: {model: hosted_vllm/m}}
general_settings: {master_key: os.environ/GATEWAY_MASTER_KEY}
";

#[test]
fn with_stand_ins_no_variable_has_to_be_set() {
    assert!(parse("config.yaml", UNSET, &Environment::empty()).is_err(), "serving needs them");
    let environment = Environment::empty().with_stand_ins();
    let config = parse("config.yaml", UNSET, &environment).unwrap_or_else(|error| panic!("{error}")).config;
    let bases: Vec<_> = config.deployments.iter().filter_map(|one| one.api_base.as_deref()).collect();
    let base = |name: &str| format!("http://not-set.invalid/{name}");
    assert_eq!(bases, [base("a"), base("east"), base("west"), base("hosted_vllm_api_base")]);
    assert_eq!((config.deployments[0].weight, config.deployments[0].model.as_str()), (1.0, "openai/MODEL"));
    assert!(config.general.master_key.is_none());
}

#[test]
fn a_variable_that_is_set_and_any_other_mistake_count_as_ever() {
    let environment: Environment = [("A", "http://a:1/v1")].into_iter().collect();
    let environment = environment.with_stand_ins();
    let config = parse("config.yaml", UNSET, &environment).unwrap_or_else(|error| panic!("{error}")).config;
    assert_eq!(config.deployments[0].api_base.as_deref(), Some("http://a:1/v1"));
    let error = parse("config.yaml", &UNSET.replace("weight", "wieght"), &environment).expect_err("a slip");
    assert_eq!(error.mistakes.len(), 1, "{error}");
}
