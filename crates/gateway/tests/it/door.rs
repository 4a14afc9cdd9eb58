//! What is refused at the door: an OpenAI-shaped answer for the client, nothing for the upstream.

use std::time::Duration;

use leastbusy_gateway::config::{Config, Secret};

use super::client::{Answer, CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, deployment, on_one_worker};
use super::script::Upstream;

/// A gateway whose upstream must not be asked.
struct Scene {
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let upstream = Upstream::start().await;
        let mut config = on_one_worker([deployment("a", &upstream.base())]);
        change(&mut config);
        Self { upstream, gateway: Gateway::start(&config) }
    }

    /// Sends bytes on a connection of their own.
    async fn send(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = Client::connect(&self.gateway).await;
        client.send(bytes).await;
        client.answer().await
    }

    fn nothing_went_upstream(mut self) {
        self.upstream.saw_nothing();
        assert_eq!(self.upstream.connections(), 0);
        assert_eq!(self.gateway.told.pre_calls(), 0);
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_a_400() {
    let scene = Scene::start(|_| ()).await;
    let deep = format!(r#"{{"model":"m","x":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let endless = format!(r#"{{"model":"m","x":{}"#, "[".repeat(10_000));
    let long = chat(&"x".repeat(257));
    let many: String = (0..1100).map(|at| format!(r#""f{at}":1,"#)).collect();
    let many = format!(r#"{{{many}"model":"m"}}"#);
    let cases = [
        ("", "request_body"),
        ("model=m", "request_body"),
        (r#"{"model":"m""#, "request_body"),
        (r#"{"model":"m"} {}"#, "request_body"),
        (r#"{"model":"m",}"#, "request_body"),
        (r#"{'model':'m'}"#, "request_body"),
        (r#"{"model":"m","x":NaN}"#, "request_body"),
        ("[]", "request_body"),
        (r#"["model","m"]"#, "request_body"),
        (r#""m""#, "request_body"),
        ("null", "request_body"),
        (&deep, "request_body"),
        (&endless, "request_body"),
        (&many, "request_body"),
        ("{}", "model"),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":1}"#, "model"),
        (r#"{"model":null}"#, "model"),
        (r#"{"model":["m"]}"#, "model"),
        (r#"{"model":""}"#, "model"),
        (r#"{"model":"m","model":"m"}"#, "model"),
        (r#"{"model":"m","\u006dodel":"n"}"#, "model"),
        (r#"{"model":"m\u0000"}"#, "model"),
        (r#"{"model":"m\n"}"#, "model"),
        (r#"{"model":"\ud800"}"#, "model"),
        (&long, "model"),
        (r#"{"model":"unknown"}"#, "model"),
        (r#"{"model":"m","stream":"yes"}"#, "stream"),
        (r#"{"model":"m","stream":1}"#, "stream"),
        (r#"{"model":"m","stream":true,"stream":false}"#, "stream"),
        (r#"{"model":"m","timeout":"soon"}"#, "timeout"),
        (r#"{"model":"m","timeout":-1}"#, "timeout"),
        (r#"{"model":"m","stream_timeout":0}"#, "stream_timeout"),
    ];
    for (body, param) in cases {
        let answer = post(&scene.gateway, CHAT, body).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(answer.status, 400, "{shown}");
        let error = answer.error();
        assert_eq!(
            (&error["type"], &error["param"]),
            (&"invalid_request_error".into(), &param.into()),
            "{shown}"
        );
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_a_400() {
    let scene = Scene::start(|_| ()).await;
    for body in [&b"{\"model\":\"m\xff\"}"[..], b"\xff\xfe{\0", b"{\"model\":\"m\",\"x\":\"\xc3\"}"] {
        let answer = scene.send(request(CHAT, "", body)).await;
        assert_eq!(answer.status, 400);
        answer.error();
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn an_unknown_model_is_told_the_nearest_one() {
    let scene = Scene::start(|config| config.deployments[0].model_name = "gpt-4o".to_owned()).await;
    let error = post(&scene.gateway, CHAT, &chat("gpt-4p")).await.error();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`gpt-4p`") && message.contains("`gpt-4o`"), "{message}");
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_to_the_next_request() {
    let mut scene = Scene::start(|_| ()).await;
    let mut client = Client::connect(&scene.gateway).await;
    for _ in 0..3 {
        client.post(CHAT, "not JSON").await;
        assert_eq!(client.answer().await.status, 400);
    }
    client.asks("m").await;
    scene.upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_refusal_before_the_body_is_read_says_that_the_connection_ends() {
    let scene =
        Scene::start(|config| config.general.master_key = Some(Secret::new("sk-the-right-one"))).await;
    let long = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(1 << 20));
    for (path, status) in [(CHAT, 401), ("/nowhere", 404), ("/v1/models", 405)] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(&request(path, "", long.as_bytes())[..1000]).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{path}");
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413() {
    let mut scene = Scene::start(|config| config.general.max_request_bytes = 1000).await;
    let whole = request(CHAT, "", format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(2000)).as_bytes());
    // By what it declares, before anything of it has come.
    let head = &whole[..whole.len() - 2000];
    // By what comes.
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let chunked =
        format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
    for bytes in [head, chunked.as_bytes()] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(bytes).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 413);
        let message = answer.error()["message"].to_string();
        assert!(message.contains("1000") && message.contains("max_request_size_mb"), "{message}");
        assert_eq!(answer.header("connection"), Some("close"));
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    let just_right = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(1000 - 20));
    assert_eq!(just_right.len(), 1000);
    let mut client = Client::connect(&scene.gateway).await;
    client.post(CHAT, &just_right).await;
    scene.upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_408() {
    let scene = Scene::start(|config| config.general.body_read_timeout = Duration::from_millis(80)).await;
    let half = request(CHAT, "", chat("m").as_bytes());
    let half = &half[..half.len() - 10];
    let lying = format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: 5000\r\n\r\n{}", chat("m"));
    let silent = format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: 50\r\n\r\n");
    let chunked = format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{\"mo");
    for bytes in [half, lying.as_bytes(), silent.as_bytes(), chunked.as_bytes()] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(bytes).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 408);
        let message = answer.error()["message"].to_string();
        assert!(message.contains("body_read_timeout"), "{message}");
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn a_body_that_comes_slowly_but_steadily_is_served() {
    let mut scene = Scene::start(|config| config.general.body_read_timeout = Duration::from_secs(2)).await;
    let mut client = Client::connect(&scene.gateway).await;
    for piece in request(CHAT, "", chat("m").as_bytes()).chunks(10) {
        client.send(piece).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene.upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_shorter_than_it_says_is_the_next_request_that_never_comes() {
    let scene = Scene::start(|config| config.general.header_read_timeout = Duration::from_millis(100)).await;
    let mut client = Client::connect(&scene.gateway).await;
    // What is behind the length is read as a request, and is none.
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: 3\r\n\r\n{}", chat("m"))).await;
    assert_eq!(client.answer().await.status, 400);
    client.wait_until_closed(super::wire::PATIENCE).await;
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let scene = Scene::start(|config| {
        config.general.max_headers = 20;
        config.general.max_header_bytes = 8192;
    })
    .await;
    let large = format!("x-large: {}\r\n", "x".repeat(10_000));
    let many: String = (0..30).map(|at| format!("x-{at}: 1\r\n")).collect();
    for headers in [large, many] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(request(CHAT, &headers, chat("m").as_bytes())).await;
        assert_eq!(client.answer().await.status, 431);
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn a_head_that_stops_coming_closes_the_connection() {
    let scene = Scene::start(|config| config.general.header_read_timeout = Duration::from_millis(100)).await;
    for bytes in ["", "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nx-slow"] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(bytes).await;
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn what_is_not_http_closes_the_connection() {
    let scene = Scene::start(|_| ()).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ntransfer-encoding: gzip\r\n\r\n",
    ] {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(bytes).await;
        client.wait_until_closed(super::wire::PATIENCE).await;
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn the_wrong_method_is_a_405_that_names_the_right_one() {
    let scene = Scene::start(|_| ()).await;
    let cases = [
        ("GET", CHAT, "POST"),
        ("DELETE", "/v1/embeddings", "POST"),
        ("PUT", "/engines/m/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
    ];
    for (method, path, allowed) in cases {
        let answer =
            scene.send(format!("{method} {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
        answer.error();
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn an_unknown_path_is_a_404() {
    let scene = Scene::start(|_| ()).await;
    for path in
        ["/v1/chat", "/v1/chat/completions/more", "/v2/chat/completions", "/v1/files", "/%00", "/../etc"]
    {
        let answer = post(&scene.gateway, path, &chat("m")).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.error();
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn without_the_key_nothing_is_served_but_health_and_metrics() {
    let scene =
        Scene::start(|config| config.general.master_key = Some(Secret::new("sk-the-right-one"))).await;
    let wrong = [
        "",
        "authorization: Bearer sk-the-wrong-one\r\n",
        "authorization: Bearer\r\n",
        "authorization: Basic sk-the-right-one\r\n",
        "authorization: Bearer sk-the-right-one-and-more\r\n",
        "authorization: Bearer sk-the-right\r\n",
        "x-litellm-api-key: sk-the-wrong-one\r\n",
        "api-key: sk-the-wrong-one\r\n",
        "x-api-key: sk-the-wrong-one\r\n",
        "cookie: sk-the-right-one\r\n",
    ];
    for headers in wrong {
        let answer = scene.send(request(CHAT, headers, chat("m").as_bytes())).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert_eq!(answer.error()["type"], "auth_error");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert!(!answer.text().contains("sk-the"), "no key is repeated");
    }
    for path in ["/v1/models", "/v1/models/m", "/health", "/router/deployments", "/"] {
        assert_eq!(get(&scene.gateway, path).await.status, 401, "{path}");
    }
    for path in ["/health/liveliness", "/health/liveness", "/health/readiness", "/metrics"] {
        assert_eq!(get(&scene.gateway, path).await.status, 200, "{path}");
    }
    scene.nothing_went_upstream();
}

#[tokio::test]
async fn metrics_want_the_key_where_other_machines_can_ask() {
    let mut config = on_one_worker([deployment("a", "http://127.0.0.1:9/v1")]);
    config.general.master_key = Some(Secret::new("sk-the-right-one"));
    let gateway = Gateway::start_on([0, 0, 0, 0], &config);
    assert_eq!(get(&gateway, "/metrics").await.status, 401);
    assert_eq!(get(&gateway, "/health/liveliness").await.status, 200);
    let mut client = Client::connect(&gateway).await;
    client.send("GET /metrics HTTP/1.1\r\nhost: gateway\r\napi-key: sk-the-right-one\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn the_key_opens_the_door_in_each_of_four_headers() {
    let mut scene =
        Scene::start(|config| config.general.master_key = Some(Secret::new("sk-the-right-one"))).await;
    let right = [
        "authorization: Bearer sk-the-right-one\r\n",
        "x-litellm-api-key: sk-the-right-one\r\n",
        "x-litellm-api-key: Bearer sk-the-right-one\r\n",
        "api-key: sk-the-right-one\r\n",
        "x-api-key: sk-the-right-one\r\n",
        // Clients that send a key of their own beside the gateway's.
        "authorization: Bearer sk-anything\r\nx-litellm-api-key: sk-the-right-one\r\n",
    ];
    for headers in right {
        let mut client = Client::connect(&scene.gateway).await;
        client.send(request(CHAT, headers, chat("m").as_bytes())).await;
        let seen = scene.upstream.next_request().await;
        assert!(!format!("{:?}", seen.head).contains("sk-"), "{headers}");
        seen.answers(200, "{}").await;
        assert_eq!(client.answer().await.status, 200, "{headers}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let mut scene = Scene::start(|config| config.general.max_connections = 2).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&scene.gateway).await;
        client.asks("m").await;
        clients.push((client, scene.upstream.next_request().await));
    }
    let mut third = Client::connect(&scene.gateway).await;
    third.asks("m").await;
    let (mut first, request) = clients.remove(0);
    request.answers(200, "{}").await;
    assert_eq!(first.answer().await.status, 200);
    scene.upstream.saw_nothing();
    first.leaves();
    scene.upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(third.answer().await.status, 200);
}
