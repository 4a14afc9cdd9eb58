//! Every endpoint reaches the upstream's path of the same name, with and without `/v1`.

use leastbusy_gateway::config::Secret;
use leastbusy_gateway::openai::endpoint::{AzurePath, BodyFormat, ENDPOINTS, Endpoint};

use super::client::{Client, chat, request};
use super::forms::upload_to;
use super::gateway::{Gateway, config, deployment, entry};
use super::script::Upstream;

/// A request for the model `m` that fits the endpoint.
fn fitting(endpoint: &Endpoint, path: &str) -> Vec<u8> {
    match endpoint.body {
        BodyFormat::Json => request(path, "", chat("m").as_bytes()),
        BodyFormat::Multipart => upload_to(path, "m", b"RIFF"),
    }
}

/// The path that the upstream sees, with its query.
async fn path_upstream(gateway: &Gateway, upstream: &mut Upstream, bytes: &[u8]) -> String {
    let mut client = Client::connect(gateway).await;
    client.send(bytes).await;
    let request = upstream.next_request().await;
    let path = request.path().to_owned();
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200, "{path}");
    path
}

#[tokio::test]
async fn with_and_without_v1() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    for endpoint in &ENDPOINTS {
        let mut paths = vec![format!("/{}", endpoint.path), format!("/v1/{}", endpoint.path)];
        if endpoint.v2 {
            paths.push(format!("/v2/{}", endpoint.path));
        }
        for path in paths {
            let seen = path_upstream(&gateway, &mut upstream, &fitting(endpoint, &path)).await;
            assert_eq!(seen, format!("/v1/{}", endpoint.path), "{path}");
        }
    }
}

#[tokio::test]
async fn azure_style_paths_name_the_model_themselves() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&config([entry("Qwen/Qwen3", "openai/m", "a", &upstream.base())]));
    for path in [
        "/openai/deployments/Qwen/Qwen3/chat/completions",
        "/openai/deployments/Qwen%2FQwen3/chat/completions?api-version=2024-10-21",
        "/engines/Qwen/Qwen3/chat/completions",
        "/v1/engines/Qwen/Qwen3/chat/completions",
    ] {
        for body in [r#"{"messages":[]}"#, r#"{"model":"another","messages":[]}"#] {
            let mut client = Client::connect(&gateway).await;
            client.post(path, body).await;
            let request = upstream.next_request().await;
            assert_eq!(request.path(), "/v1/chat/completions", "{path}");
            assert_eq!(request.json()["model"], "m", "{path}");
            request.answers(200, "{}").await;
            assert_eq!(client.answer().await.status, 200);
        }
    }
}

#[tokio::test]
async fn azure_keeps_each_endpoint_where_azure_has_it() {
    let mut upstream = Upstream::start().await;
    let base = format!("http://{}", upstream.address());
    let mut azure = entry("m", "azure/gpt-eu", "a", &base);
    azure.api_key = Some(Secret::new("azure-key"));
    azure.api_version = Some("2024-10-21".to_owned());
    let gateway = Gateway::start(&config([azure]));
    for endpoint in &ENDPOINTS {
        let path = format!("/v1/{}", endpoint.path);
        let seen = path_upstream(&gateway, &mut upstream, &fitting(endpoint, &path)).await;
        let below = match endpoint.azure {
            AzurePath::Deployment => "deployments/gpt-eu/",
            AzurePath::Account => "",
        };
        assert_eq!(seen, format!("/openai/{below}{}?api-version=2024-10-21", endpoint.path));
    }
}

#[tokio::test]
async fn a_base_with_a_path_keeps_it() {
    let mut upstream = Upstream::start().await;
    let base = format!("http://{}/team-a/llm/v1", upstream.address());
    let gateway = Gateway::start(&config([deployment("a", &base)]));
    let seen = path_upstream(&gateway, &mut upstream, &fitting(&ENDPOINTS[0], "/chat/completions")).await;
    assert_eq!(seen, "/team-a/llm/v1/chat/completions");
}

#[tokio::test]
async fn a_client_behind_a_wildcard_cannot_choose_the_path() {
    let mut upstream = Upstream::start().await;
    let base = format!("http://{}", upstream.address());
    let mut azure = entry("az/*", "azure/*", "a", &base);
    azure.api_version = Some("v".to_owned());
    let gateway = Gateway::start(&config([azure]));
    let cases = [
        ("az/../../admin?x=", "..%2F..%2Fadmin%3Fx%3D"),
        ("az/a#b", "a%23b"),
        ("az/a b", "a%20b"),
        ("az/a%2Fb", "a%252Fb"),
        ("az/gpt-4.1_mini", "gpt-4.1_mini"),
    ];
    for (model, segment) in cases {
        let mut client = Client::connect(&gateway).await;
        client.asks(model).await;
        let request = upstream.next_request().await;
        let expected = format!("/openai/deployments/{segment}/chat/completions?api-version=v");
        assert_eq!(request.path(), expected, "{model}");
        request.answers(200, "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
    let mut client = Client::connect(&gateway).await;
    client.asks("az/..").await;
    assert_eq!(client.answer().await.status, 400);
}

#[tokio::test]
async fn a_model_in_the_path_of_a_form_is_checked_like_any_other() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&config([entry("*", "openai/*", "a", &upstream.base())]));
    let mut client = Client::connect(&gateway).await;
    client.send(upload_to("/openai/deployments/a%0Ab/audio/transcriptions", "m", b"sound")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.error()["param"].as_str()), (400, Some("model")));
    upstream.saw_nothing();
}
