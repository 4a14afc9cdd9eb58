//! Where each provider lives and how it wants to be asked, in one table.

mod resolve;
#[cfg(test)]
mod tests;

pub use resolve::{AZURE_API_VERSION, Address, Note, Unresolved, resolve};

/// How a provider wants its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `api-key: KEY` (Azure).
    ApiKey,
}

/// How the path of a request is made from the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// `{api_base}/{endpoint}`.
    OpenAi,
    /// `{api_base}/openai/deployments/{model}/{endpoint}?api-version=...`.
    Azure,
}

/// What becomes of an `api_base` that is only a host, e.g. `http://gpu-a:8000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareBase {
    /// Used as it is: the provider serves at the root.
    Keep,
    /// `/v1` is added: the provider's OpenAI-compatible paths are always there.
    AddV1,
    /// Used as it is, with a warning: most servers of this kind serve under `/v1`.
    Warn,
}

/// One provider whose wire format is OpenAI's.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The name before the first slash of `litellm_params.model`.
    pub name: &'static str,
    /// Base URL when the configuration gives none; `None` makes `api_base` required.
    pub api_base: Option<&'static str>,
    /// Environment variables that may hold a base URL; the first one set counts.
    pub api_base_variables: &'static [&'static str],
    /// Environment variables that may hold the key when the configuration gives none; the first one set counts.
    pub api_key_variables: &'static [&'static str],
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// How paths are made.
    pub paths: Paths,
    /// What becomes of a base without a path.
    pub bare_base: BareBase,
}

/// The provider called `name`, as written before the first slash of `litellm_params.model`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// The names of all providers that can be configured, in the table's order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|provider| provider.name)
}

/// What follows the provider in `name`, if it begins with one.
#[must_use]
pub fn without(name: &str) -> Option<&str> {
    let (prefix, rest) = name.split_once('/')?;
    (names().any(|provider| provider == prefix) || is_known_elsewhere(prefix)).then_some(rest)
}

/// Whether LiteLLM knows a provider of this name that is not in the table: it speaks another protocol,
/// or nobody has added it yet.
#[must_use]
pub fn is_known_elsewhere(name: &str) -> bool {
    KNOWN_ELSEWHERE.contains(&name)
}

const fn hosted(
    name: &'static str,
    api_base: &'static str,
    api_base_variables: &'static [&'static str],
    api_key_variables: &'static [&'static str],
) -> Provider {
    Provider {
        name,
        api_base: Some(api_base),
        api_base_variables,
        api_key_variables,
        key_header: KeyHeader::Bearer,
        paths: Paths::OpenAi,
        bare_base: BareBase::Keep,
    }
}

const fn local(
    name: &'static str,
    api_base: Option<&'static str>,
    api_base_variables: &'static [&'static str],
    api_key_variables: &'static [&'static str],
    bare_base: BareBase,
) -> Provider {
    Provider {
        name,
        api_base,
        api_base_variables,
        api_key_variables,
        key_header: KeyHeader::Bearer,
        paths: Paths::OpenAi,
        bare_base,
    }
}

/// The variables are LiteLLM's (1.109), in the order in which it looks; the bases are the providers'
/// OpenAI-compatible ones.
static PROVIDERS: &[Provider] = &[
    Provider {
        bare_base: BareBase::Warn,
        ..hosted(
            "openai",
            "https://api.openai.com/v1",
            &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
            &["OPENAI_API_KEY"],
        )
    },
    local("hosted_vllm", None, &["HOSTED_VLLM_API_BASE"], &["HOSTED_VLLM_API_KEY"], BareBase::Warn),
    local("vllm", None, &["HOSTED_VLLM_API_BASE"], &["HOSTED_VLLM_API_KEY"], BareBase::Warn),
    local(
        "ollama",
        Some("http://localhost:11434/v1"),
        &["OLLAMA_API_BASE"],
        &["OLLAMA_API_KEY"],
        BareBase::AddV1,
    ),
    local(
        "ollama_chat",
        Some("http://localhost:11434/v1"),
        &["OLLAMA_API_BASE"],
        &["OLLAMA_API_KEY"],
        BareBase::AddV1,
    ),
    local(
        "llamafile",
        Some("http://127.0.0.1:8080/v1"),
        &["LLAMAFILE_API_BASE"],
        &["LLAMAFILE_API_KEY"],
        BareBase::Warn,
    ),
    local(
        "lm_studio",
        Some("http://localhost:1234/v1"),
        &["LM_STUDIO_API_BASE"],
        &["LM_STUDIO_API_KEY"],
        BareBase::Warn,
    ),
    hosted("groq", "https://api.groq.com/openai/v1", &["GROQ_API_BASE"], &["GROQ_API_KEY"]),
    hosted("mistral", "https://api.mistral.ai/v1", &["MISTRAL_API_BASE"], &["MISTRAL_API_KEY"]),
    hosted("deepseek", "https://api.deepseek.com/v1", &["DEEPSEEK_API_BASE"], &["DEEPSEEK_API_KEY"]),
    hosted(
        "together_ai",
        "https://api.together.xyz/v1",
        &["TOGETHER_AI_API_BASE"],
        &["TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"],
    ),
    hosted(
        "fireworks_ai",
        "https://api.fireworks.ai/inference/v1",
        &["FIREWORKS_API_BASE"],
        &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"],
    ),
    hosted(
        "openrouter",
        "https://openrouter.ai/api/v1",
        &["OPENROUTER_API_BASE"],
        &["OPENROUTER_API_KEY", "OR_API_KEY"],
    ),
    hosted("xai", "https://api.x.ai/v1", &["XAI_API_BASE"], &["XAI_API_KEY"]),
    hosted(
        "perplexity",
        "https://api.perplexity.ai",
        &["PERPLEXITY_API_BASE"],
        &["PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"],
    ),
    hosted("cerebras", "https://api.cerebras.ai/v1", &["CEREBRAS_API_BASE"], &["CEREBRAS_API_KEY"]),
    // No base variable: LiteLLM's GEMINI_API_BASE names the native API, which is not OpenAI's.
    hosted(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        &[],
        &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    ),
    Provider {
        bare_base: BareBase::AddV1,
        ..hosted(
            "anthropic",
            "https://api.anthropic.com/v1",
            &["ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"],
            &["ANTHROPIC_API_KEY"],
        )
    },
    local("custom_openai", None, &[], &[], BareBase::Warn),
    Provider {
        name: "azure",
        api_base: None,
        api_base_variables: &["AZURE_API_BASE"],
        api_key_variables: &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
        key_header: KeyHeader::ApiKey,
        paths: Paths::Azure,
        bare_base: BareBase::Keep,
    },
    local("simulated", None, &[], &[], BareBase::Keep),
];

/// Names from LiteLLM 1.109 that the table above lacks.
static KNOWN_ELSEWHERE: &[&str] = &[
    "a2a",
    "abliteration",
    "ai21",
    "ai21_chat",
    "aiml",
    "aiohttp_openai",
    "amazon_nova",
    "anthropic_text",
    "apertis",
    "assemblyai",
    "aws_polly",
    "azure_ai",
    "azure_text",
    "baseten",
    "bedrock",
    "black_forest_labs",
    "bytez",
    "chatgpt",
    "clarifai",
    "cloudflare",
    "codestral",
    "cohere",
    "cohere_chat",
    "cometapi",
    "compactifai",
    "custom",
    "dashscope",
    "databricks",
    "datarobot",
    "deepgram",
    "deepinfra",
    "docker_model_runner",
    "elevenlabs",
    "empower",
    "fal_ai",
    "featherless_ai",
    "friendliai",
    "galadriel",
    "gigachat",
    "github",
    "github_copilot",
    "gradient_ai",
    "helicone",
    "heroku",
    "huggingface",
    "hyperbolic",
    "inception",
    "infinity",
    "jina_ai",
    "lambda_ai",
    "langflow",
    "langgraph",
    "lemonade",
    "litellm_proxy",
    "maritalk",
    "meta_llama",
    "minimax",
    "modelscope",
    "moonshot",
    "morph",
    "nano-gpt",
    "nebius",
    "nlp_cloud",
    "novita",
    "nscale",
    "nvidia_nim",
    "nvidia_riva",
    "oci",
    "oobabooga",
    "openai_like",
    "ovhcloud",
    "petals",
    "poe",
    "predibase",
    "publicai",
    "ragflow",
    "recraft",
    "replicate",
    "runwayml",
    "sagemaker",
    "sagemaker_chat",
    "sambanova",
    "sap",
    "scaleway",
    "snowflake",
    "stability",
    "synthetic",
    "tencent",
    "text-completion-codestral",
    "text-completion-openai",
    "topaz",
    "triton",
    "v0",
    "vercel_ai_gateway",
    "vertex_ai",
    "vertex_ai_beta",
    "volcengine",
    "voyage",
    "wandb",
    "watsonx",
    "watsonx_text",
    "xinference",
    "zai",
];
