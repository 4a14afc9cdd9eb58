//! Upstreams behind TLS, in HTTP/1.1 and in HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;

use super::client::{CHAT, chat};
use super::process::{Process, config_file};
use super::wire::soon;

/// A certificate authority that only the gateway under test trusts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(pem.path(), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn server(&self, name: &str, protocol: &[u8]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What the upstream does with requests.
#[derive(Debug)]
struct Secure {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// A word for each request that arrives, and for each that is given up.
    events: mpsc::Receiver<&'static str>,
    /// Lets one waiting request go on.
    go_on: Arc<Notify>,
}

struct GivenUp(Option<mpsc::Sender<&'static str>>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(events) = self.0.take() {
            let _ = events.try_send("given up");
        }
    }
}

impl Secure {
    async fn start(acceptor: TlsAcceptor, http2: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (events_in, events) = mpsc::channel(100);
        let go_on = Arc::new(Notify::new());
        let (counted, waiting) = (Arc::clone(&connections), Arc::clone(&go_on));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, events, waiting) = (acceptor.clone(), events_in.clone(), Arc::clone(&waiting));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service =
                        service_fn(move |request| answer(request, events.clone(), Arc::clone(&waiting)));
                    let io = TokioIo::new(stream);
                    let _ = if http2 {
                        http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
                    } else {
                        http1::Builder::new().serve_connection(io, service).await
                    };
                });
            }
        });
        Self { address, connections, events, go_on }
    }

    async fn event(&mut self) -> &'static str {
        soon("an event at the upstream", self.events.recv()).await.unwrap()
    }

    /// A gateway in a process of its own, before this upstream under the name `host`.
    async fn gateway(&self, authority: &Authority, host: &str) -> Process {
        let base = format!("https://{host}:{}/v1", self.address.port());
        let config = config_file(&format!(
            "model_list:\n- model_name: m\n  litellm_params:\n    model: openai/m\n    api_base: {base}\n    api_key: sk-up\n\
             general_settings:\n  workers: 1\nrouter_settings:\n  num_retries: 0\n"
        ));
        Process::start(config.path(), |command| {
            command.env("SSL_CERT_FILE", authority.pem.path()).env_remove("SSL_CERT_DIR");
        })
        .await
    }
}

/// Answers at once, or when it is told to, or not at all: as the request says.
async fn answer(
    request: Request<Incoming>,
    events: mpsc::Sender<&'static str>,
    go_on: Arc<Notify>,
) -> io::Result<Response<Full<Bytes>>> {
    let version = request.version();
    let authority = request.uri().authority().map(ToString::to_string);
    let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
    let Ok(body) = request.into_body().collect().await else { return Ok(Response::default()) };
    let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    events.send("arrived").await.unwrap();
    if body["fail"] == true {
        return Err(io::Error::other("as the test wants it"));
    }
    if body["wait"] == true {
        let mut given_up = GivenUp(Some(events));
        go_on.notified().await;
        given_up.0 = None;
    }
    let name = if version == Version::HTTP_2 { authority } else { host };
    Ok(Response::new(Full::from(format!("{version:?} {}", name.unwrap_or_default()))))
}

#[tokio::test]
async fn https_with_http_1_1() {
    let authority = Authority::new();
    let upstream = Secure::start(authority.server("127.0.0.1", b"http/1.1"), false).await;
    let gateway = upstream.gateway(&authority, "127.0.0.1").await;
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        client.post(CHAT, &chat("m")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, format!("HTTP/1.1 {}", upstream.address).as_str()));
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn https_with_http_2_shares_one_connection_and_a_client_that_leaves_resets_its_stream_alone() {
    let authority = Authority::new();
    let mut upstream = Secure::start(authority.server("localhost", b"h2"), true).await;
    let gateway = upstream.gateway(&authority, "localhost").await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = gateway.connect().await;
        client.post(CHAT, r#"{"model":"m","wait":true}"#).await;
        clients.push(client);
    }
    for _ in 0..8 {
        assert_eq!(upstream.event().await, "arrived");
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1, "a burst opens one connection");
    clients.pop().unwrap().leaves();
    assert_eq!(upstream.event().await, "given up");
    for client in &mut clients {
        upstream.go_on.notify_one();
        let _ = client;
    }
    for client in &mut clients {
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), format!("HTTP/2.0 localhost:{}", upstream.address.port()));
        assert_eq!(answer.head.first_line, "HTTP/1.1 200 OK");
    }
    let mut client = gateway.connect().await;
    client.post(CHAT, &chat("m")).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_that_the_upstream_resets_is_not_asked_for_again() {
    let authority = Authority::new();
    let mut upstream = Secure::start(authority.server("localhost", b"h2"), true).await;
    let gateway = upstream.gateway(&authority, "localhost").await;
    let mut client = gateway.connect().await;
    for (body, status) in [(r#"{"model":"m"}"#, 200), (r#"{"model":"m","fail":true}"#, 502)] {
        client.post(CHAT, body).await;
        assert_eq!(client.answer().await.status, status);
        assert_eq!(upstream.event().await, "arrived");
    }
    assert!(upstream.events.try_recv().is_err(), "the work was begun twice");
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_no_connection() {
    let authority = Authority::new();
    let upstream = Secure::start(authority.server("elsewhere.example", b"http/1.1"), false).await;
    let gateway = upstream.gateway(&authority, "localhost").await;
    let mut client = gateway.connect().await;
    client.post(CHAT, &chat("m")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.error()["type"].as_str()), (502, Some("upstream_connection_error")));
}
