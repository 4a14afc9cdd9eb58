//! Which headers pass, which stay, and which the gateway adds.

use leastbusy_gateway::config::{Deployment, Secret};

use super::client::{Answer, CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, config, deployment, entry};
use super::script::{Exchange, Upstream, answers};

/// Sends a chat request with these header lines; gives what the upstream saw.
async fn seen(deployment: Deployment, upstream: &mut Upstream, headers: &str) -> Exchange {
    let gateway = Gateway::start(&config([deployment]));
    let mut client = Client::connect(&gateway).await;
    client.send(request(CHAT, headers, chat("m").as_bytes())).await;
    upstream.next_request().await
}

#[tokio::test]
async fn what_concerns_the_client_alone_stays_here() {
    let mut upstream = Upstream::start().await;
    let request = seen(
        deployment("a", &upstream.base()),
        &mut upstream,
        "Authorization: Bearer sk-client\r\nx-litellm-api-key: sk-client\r\napi-key: sk-client\r\n\
         x-api-key: sk-client\r\nCookie: session=1\r\nConnection: keep-alive, x-hop\r\nx-hop: 1\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Authorization: Basic eDp5\r\nx-forwarded-for: 10.0.0.1\r\n\
         x-litellm-tags: a\r\nX-Request-Id: r1\r\nUser-Agent: OpenAI/Python 2\r\nx-stainless-os: Linux\r\n\
         traceparent: 00-1-2-01\r\n",
    )
    .await;
    let mut names: Vec<&str> = request.head.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "content-length",
        "content-type",
        "host",
        "traceparent",
        "user-agent",
        "x-request-id",
        "x-stainless-os",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.header("host"), Some(upstream.address().to_string().as_str()));
}

#[tokio::test]
async fn the_deployments_key_organization_and_headers_go_with_the_request() {
    let mut upstream = Upstream::start().await;
    let mut deployment = deployment("a", &upstream.base());
    deployment.api_key = Some(Secret::new("sk-deployment"));
    deployment.organization = Some("org-1".to_owned());
    deployment.extra_headers = vec![
        ("x-team".parse().unwrap(), "search".parse().unwrap()),
        ("user-agent".parse().unwrap(), "leastbusy".parse().unwrap()),
    ];
    let headers = "authorization: Bearer sk-client\r\nx-team: mine\r\nuser-agent: curl\r\n\
                   openai-organization: org-of-the-client\r\n";
    let request = seen(deployment, &mut upstream, headers).await;
    for (name, value) in [
        ("authorization", "Bearer sk-deployment"),
        ("openai-organization", "org-1"),
        ("x-team", "search"),
        ("user-agent", "leastbusy"),
    ] {
        let all: Vec<&str> = request
            .head
            .headers
            .iter()
            .filter_map(|(known, value)| (known == name).then_some(value.as_str()))
            .collect();
        assert_eq!(all, [value], "{name}");
    }
}

#[tokio::test]
async fn azure_has_its_own_path_version_and_key_header() {
    let mut upstream = Upstream::start().await;
    let base = format!("http://{}", upstream.address());
    let mut azure = entry("m", "azure/gpt-4o-eu", "a", &base);
    azure.api_key = Some(Secret::new("azure-key"));
    azure.api_version = Some("2024-10-21".to_owned());
    let request = seen(azure, &mut upstream, "authorization: Bearer sk-client\r\n").await;
    assert_eq!(request.path(), "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21");
    assert_eq!(request.header("api-key"), Some("azure-key"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn an_upstreams_headers_pass_but_for_its_hop_and_cookies() {
    let script = answers(200)
        .header("x-request-id", "req-1")
        .header("x-ratelimit-remaining-tokens", "149")
        .header("openai-processing-ms", "12")
        .header("set-cookie", "__cf_bm=1")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("alt-svc", "h3=\":443\"")
        .header("x-litellm-model-id", "somebody else's")
        .json("{}");
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!(answer.header("x-request-id"), Some("req-1"));
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("149"));
    assert_eq!(answer.header("openai-processing-ms"), Some("12"));
    for stays in ["set-cookie", "x-hop", "keep-alive", "alt-svc", "connection"] {
        assert_eq!(answer.header(stays), None, "{stays}");
    }
    let ids = answer.head.headers.iter().filter(|(name, _)| name == "x-litellm-model-id").count();
    assert_eq!((ids, answer.header("x-litellm-model-id")), (1, Some("a")));
}

fn number(answer: &Answer, name: &str) -> f64 {
    answer.header(name).unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[tokio::test]
async fn every_answer_says_how_it_came_to_be() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::before(&upstream.base());
    let served = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!(served.header("x-litellm-model-id"), Some("a"));
    assert_eq!(served.header("x-litellm-model-group"), Some("m"));
    assert_eq!(served.header("x-litellm-model-api-base"), Some(upstream.base().as_str()));
    let refused = post(&gateway, CHAT, &chat("unknown")).await;
    assert_eq!((refused.status, refused.header("x-litellm-model-id")), (400, None));
    for answer in [served, refused, get(&gateway, "/v1/models").await, get(&gateway, "/nowhere").await] {
        assert_eq!(answer.header("x-litellm-attempted-retries"), Some("0"));
        assert_eq!(answer.header("x-litellm-attempted-fallbacks"), Some("0"));
        let (whole, overhead) = (
            number(&answer, "x-litellm-response-duration-ms"),
            number(&answer, "x-litellm-overhead-duration-ms"),
        );
        assert!(0.0 <= overhead && overhead <= whole, "{overhead} of {whole} ms");
        let id = answer.header("x-litellm-call-id").unwrap();
        assert!(id.len() == 36 && id.split('-').count() == 5, "{id}");
    }
}

#[tokio::test]
async fn a_client_may_bring_its_own_call_id() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    let mut id_for = async |given: &str| {
        let headers = format!("x-litellm-call-id: {given}\r\n");
        client.send(request(CHAT, &headers, chat("m").as_bytes())).await;
        client.answer().await.header("x-litellm-call-id").unwrap().to_owned()
    };
    assert_eq!(id_for("mine-1").await, "mine-1");
    let long = "x".repeat(129);
    assert_ne!(id_for(&long).await, long, "an id of any length would end up in every log");
}
