use super::*;

const SELF_HOSTED: &str = r"
model_list:
  - model_name: qwen-32b
    litellm_params: {model: hosted_vllm/Qwen/Qwen3-32B, api_base: http://gpu-a:8000/v1, api_key: none, stream_timeout: 120}
    model_info: {id: gpu-a}
  - model_name: qwen-32b
    litellm_params: {model: hosted_vllm/Qwen/Qwen3-32B, api_base: http://gpu-b:8000/v1, api_key: none, stream_timeout: 120, max_parallel_requests: 64}
    model_info: {id: gpu-b, cooldown_time: 10}
router_settings:
  routing_strategy: least-busy
  num_retries: 2
  allowed_fails: 2
  cooldown_time: 15
  model_group_alias: {qwen: qwen-32b, default: {model: qwen-32b, hidden: true}}
general_settings:
  master_key: os.environ/GATEWAY_MASTER_KEY
";

#[test]
fn a_self_hosted_pool_loads() {
    let loaded = read_with(SELF_HOSTED, &[("GATEWAY_MASTER_KEY", "a-long-enough-key")]);
    assert_eq!(loaded.config.ids(), ["gpu-a", "gpu-b"]);
    assert!(loaded.config.aliases["default"].hidden);
    assert_eq!(loaded.config.router.cooldown.allowed_fails, Some(2));
    assert_eq!(loaded.config.deployments[1].cooldown.time, Some(Duration::from_secs(10)));
    let limits = loaded.config.deployments.iter().map(|deployment| deployment.max_parallel_requests);
    assert_eq!(limits.collect::<Vec<_>>(), [None, Some(64)]);
    assert!(loaded.warnings.is_empty(), "{:#?}", brief(&loaded.warnings));
}

const CLOUD: &str = r#"
include: [models/azure.yaml]
model_list:
  - model_name: chat-large
    litellm_params: {model: azure/gpt-large, api_base: os.environ/AZ_EU_BASE, api_key: os.environ/AZ_EU_KEY, api_version: "2025-04-01-preview", order: 1, timeout: 60}
  - model_name: chat-large
    litellm_params: {model: azure/gpt-large, api_base: os.environ/AZ_US_BASE, api_key: os.environ/AZ_US_KEY, api_version: "2025-04-01-preview", order: 1, timeout: 60}
  - model_name: chat-large
    litellm_params: {model: openai/gpt-large, api_key: os.environ/OPENAI_API_KEY, order: 2}
  - model_name: chat-small
    litellm_params: {model: openai/gpt-small, api_key: os.environ/OPENAI_API_KEY}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY}
router_settings:
  routing_strategy: least-busy
  redis_host: os.environ/REDIS_HOST
  redis_port: os.environ/REDIS_PORT
  redis_password: os.environ/REDIS_PASSWORD
  fallbacks: [{chat-large: [chat-small]}]
  context_window_fallbacks: [{chat-small: [chat-large]}]
  default_fallbacks: [chat-small]
  retry_policy: {RateLimitErrorRetries: 3, TimeoutErrorRetries: 1, AuthenticationErrorRetries: 0, DefaultRetries: 2}
  allowed_fails_policy: {RateLimitErrorAllowedFails: 0, InternalServerErrorAllowedFails: 4, TimeoutErrorAllowedFails: 2}
litellm_settings: {request_timeout: 120, callbacks: [prometheus]}
general_settings: {master_key: os.environ/GATEWAY_MASTER_KEY, background_health_checks: true, health_check_interval: 60, enable_health_check_routing: true}
"#;

#[test]
fn a_cloud_with_included_models_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
    write("config.yaml", CLOUD);
    std::fs::create_dir(folder.path().join("models")).expect("a folder");
    write(
        "models/azure.yaml",
        "include: [more.yaml]\nmodel_list:\n- {model_name: mini, litellm_params: {model: azure/mini, api_base: 'https://az'}}\n",
    );
    write(
        "models/more.yaml",
        "model_list:\n- {model_name: nano, litellm_params: {model: azure/nano, api_base: 'https://az'}}\n",
    );
    let variables: Environment = [
        ("AZ_EU_BASE", "https://eu.example.com"),
        ("AZ_EU_KEY", "a"),
        ("AZ_US_BASE", "https://us.example.com"),
        ("AZ_US_KEY", "b"),
        ("OPENAI_API_KEY", "c"),
        ("AZURE_API_KEY", "d"),
        ("REDIS_HOST", "localhost"),
        ("REDIS_PORT", "6379"),
        ("REDIS_PASSWORD", "e"),
        ("GATEWAY_MASTER_KEY", "a-long-enough-key"),
    ]
    .into_iter()
    .collect();
    let loaded = load(&folder.path().join("config.yaml"), &variables).expect("loads");
    let names: Vec<_> = loaded.config.deployments.iter().map(|one| one.model_name.as_str()).collect();
    assert_eq!(names, ["chat-large", "chat-large", "chat-large", "chat-small", "openai/*", "mini", "nano"]);
    assert_eq!(loaded.files.len(), 3);
    assert_eq!(loaded.config.router.fallbacks.default, ["chat-small"]);
    assert_eq!(loaded.config.router.retries.policy.default, Some(2));

    write(
        "models/more.yaml",
        "include: [../config.yaml]\nmodel_list:\n- {model_name: nano, litelm_params: {model: azure/nano}}\nlitellm_settings: {request_timeout: 7}\n",
    );
    write("models/azure.yaml", "include: [more.yaml, missing.yaml]\nrouter_settings: {}\n");
    let error = load(&folder.path().join("config.yaml"), &variables).expect_err("has mistakes");
    let root = folder.path().display().to_string();
    let text = error.to_string().replace(&root, "ROOT");
    for expected in [
        "ROOT/models/azure.yaml:1:22: cannot read ROOT/models/missing.yaml: there is no such file",
        "ROOT/models/more.yaml:1:11: ROOT/models/../config.yaml includes itself, through this line",
        "ROOT/models/more.yaml:4:37: `litellm_settings.request_timeout` is set here and in ROOT/config.yaml:24",
        "ROOT/models/more.yaml:3:22: `litelm_params` is not a key of model_list[]",
        "4 mistakes in ROOT/config.yaml",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn mixed_strategies_and_tags_load() {
    let text = r"
model_list:
  - model_name: assist
    litellm_params: {model: openai/small, api_base: http://pool-free:9000/v1, api_key: x, tags: [free, default]}
  - model_name: assist
    litellm_params: {model: openai/large, api_base: http://pool-paid:9000/v1, api_key: x, tags: [paid], weight: 3}
  - model_name: embed
    litellm_params: {model: openai/embed, api_base: http://emb-1:9000/v1, api_key: x}
    model_info: {mode: embedding}
router_settings:
  routing_strategy: simple-shuffle
  enable_tag_filtering: true
  routing_groups:
    - {group_name: any-assist, models: [assist], routing_strategy: least-busy}
  model_group_retry_policy: {embed: {DefaultRetries: 5}}
  fallbacks: [{any-assist: [embed]}]
";
    let loaded = read(text);
    assert_eq!(loaded.config.deployments[1].weight, 3.0);
    assert_eq!(loaded.config.router.retries.group_policies["embed"].default, Some(5));
    let router = &loaded.config.router;
    let strategies = ["assist", "any-assist", "embed"].map(|name| router.strategy_of(name));
    assert_eq!(strategies, [Strategy::LeastBusy, Strategy::LeastBusy, Strategy::Shuffle]);
    assert_eq!(loaded.config.deployments[0].tags, ["free", "default"]);
    assert_eq!(router.filters.tags, Some(TagFilter::default()));
    assert!(loaded.warnings.is_empty(), "{:#?}", brief(&loaded.warnings));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = load(&folder.path().join("none.yaml"), &Environment::empty()).expect_err("is missing");
    assert!(missing.to_string().contains("none.yaml: there is no such file"), "{missing}");
    assert_eq!(missing.mistakes.len(), 1);
    let directory = load(folder.path(), &Environment::empty()).expect_err("is a directory");
    assert!(directory.to_string().contains("it is a directory"), "{directory}");
    let binary = folder.path().join("binary.yaml");
    std::fs::write(&binary, b"model_list:\n\xff\xfe").expect("writes");
    let binary = load(&binary, &Environment::empty()).expect_err("is not text");
    assert!(binary.to_string().contains("line 2 is not UTF-8"), "{binary}");
}
