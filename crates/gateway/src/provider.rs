//! Where each provider lives and how it wants to be asked, in one table.

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

/// One provider whose wire format is OpenAI's.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The name before the first slash of `litellm_params.model`.
    pub name: &'static str,
    /// Base URL when the configuration gives none; `None` makes `api_base` required.
    pub api_base: Option<&'static str>,
    /// Environment variable that holds a base URL.
    pub api_base_variable: Option<&'static str>,
    /// Environment variable that holds the key when the configuration gives none.
    pub api_key_variable: Option<&'static str>,
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// How paths are made.
    pub paths: Paths,
}
