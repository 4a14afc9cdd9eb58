//! The endpoints that go upstream, in one table.

/// How the body of a request names its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// A JSON object with a `model` field.
    Json,
    /// `multipart/form-data` with a `model` form field; files stream through.
    Multipart,
}

/// Where Azure keeps an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AzurePath {
    /// `/openai/deployments/{model}/{path}`.
    Deployment,
    /// `/openai/{path}`, with the model in the body alone.
    Account,
}

/// Whether the streams of an endpoint say when their answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// By `[DONE]`, a finish reason or a last event. One that ends without it broke off.
    Told,
    /// Not in a way that all servers share: it is whole when it ends.
    Untold,
}

/// Which tokens the answers of an endpoint take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// None that all servers count alike.
    Untold,
    /// Those of the prompt.
    Prompt,
    /// Those of the prompt and those of the answer.
    PromptAndOutput,
}

/// One endpoint of the OpenAI API.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path below the base URL.
    pub path: &'static str,
    /// How its body names the model.
    pub body: BodyFormat,
    /// Where Azure keeps it.
    pub azure: AzurePath,
    /// Whether its streams say when their answer is whole.
    pub stream_end: StreamEnd,
    /// Which tokens its answers take.
    pub tokens: TokenUse,
    /// Whether `/v2/{path}` leads here too (Cohere's and Jina's rerank).
    pub v2: bool,
}

const fn json(path: &'static str) -> Endpoint {
    Endpoint {
        path,
        body: BodyFormat::Json,
        azure: AzurePath::Deployment,
        stream_end: StreamEnd::Untold,
        tokens: TokenUse::Untold,
        v2: false,
    }
}

const fn text(path: &'static str) -> Endpoint {
    Endpoint { stream_end: StreamEnd::Told, tokens: TokenUse::PromptAndOutput, ..json(path) }
}

const fn multipart(path: &'static str) -> Endpoint {
    Endpoint { body: BodyFormat::Multipart, ..json(path) }
}

/// Every endpoint that is balanced over deployments.
pub static ENDPOINTS: [Endpoint; 10] = [
    text("chat/completions"),
    text("completions"),
    Endpoint { tokens: TokenUse::Prompt, ..json("embeddings") },
    Endpoint { azure: AzurePath::Account, ..text("responses") },
    json("moderations"),
    json("images/generations"),
    json("audio/speech"),
    multipart("audio/transcriptions"),
    multipart("audio/translations"),
    Endpoint { v2: true, ..json("rerank") },
];

/// An endpoint by its place in [`ENDPOINTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointIndex(usize);

impl EndpointIndex {
    /// The endpoint whose path below the base URL is `path`.
    #[must_use]
    pub fn find(path: &str) -> Option<Self> {
        ENDPOINTS.iter().position(|endpoint| endpoint.path == path).map(Self)
    }

    /// Its place in [`ENDPOINTS`].
    #[must_use]
    pub fn place(self) -> usize {
        self.0
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(self) -> &'static Endpoint {
        &ENDPOINTS[self.0]
    }
}
