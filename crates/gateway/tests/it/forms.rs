//! Uploads: the model is a field of a form, and the file streams through.

use std::time::Duration;

use leastbusy_balance::Outcome;

use super::client::{Client, post};
use super::gateway::{Gateway, config, entry, on_one_worker};
use super::script::Upstream;

const BOUNDARY: &str = "----WebKitFormBoundary7MA4";
const PATH: &str = "/v1/audio/transcriptions";

/// A form with these fields; one that is called `file` is a file.
fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in fields {
        form.extend(part_head(name).as_bytes());
        form.extend(*value);
        form.extend(b"\r\n");
    }
    form.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn part_head(name: &str) -> String {
    let file = if name == "file" { "; filename=\"a.wav\"\r\nContent-Type: audio/wav" } else { "" };
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
}

/// A whole upload of `file` for `model`.
pub(crate) fn upload_to(path: &str, model: &str, file: &[u8]) -> Vec<u8> {
    let form = form(&[("model", model.as_bytes()), ("file", file)]);
    [head_to(path, &format!("content-length: {}", form.len())).as_bytes(), &form].concat()
}

fn head(framing: &str) -> String {
    head_to(PATH, framing)
}

fn head_to(path: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: g\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\n\
         {framing}\r\n\r\n"
    )
}

fn upload(form: &[u8]) -> Vec<u8> {
    [head(&format!("content-length: {}", form.len())).as_bytes(), form].concat()
}

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&config([entry("speech", "openai/whisper-large-v3", "a", &upstream.base())]))
}

#[tokio::test]
async fn the_model_is_found_and_renamed_before_and_behind_the_file() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let file: Vec<u8> = (0..200_000).map(|at| (at * 7 % 256) as u8).collect();
    let orders: [&[&str]; 3] =
        [&["model", "file", "language"], &["file", "model"], &["language", "file", "model", "prompt"]];
    for order in orders {
        let fields = |model: &'static [u8]| {
            order
                .iter()
                .map(|&name| match name {
                    "model" => (name, model),
                    "file" => (name, file.as_slice()),
                    _ => (name, &b"en"[..]),
                })
                .collect::<Vec<_>>()
        };
        let mut client = Client::connect(&gateway).await;
        client.send(upload(&form(&fields(b"speech")))).await;
        let request = upstream.next_request().await;
        let expected = form(&fields(b"whisper-large-v3"));
        assert!(request.body == expected, "{order:?}: {} bytes", request.body.len());
        assert_eq!(request.header("content-length"), Some(expected.len().to_string().as_str()));
        assert_eq!(request.path(), PATH);
        request.answers(200, r#"{"text":""}"#).await;
        assert_eq!(client.answer().await.status, 200);
    }
    gateway.ends().await;
}

#[tokio::test]
async fn a_form_may_come_in_chunks_cut_anywhere() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    client.send(head("transfer-encoding: chunked")).await;
    for piece in form(&[("language", b"en"), ("model", b"speech"), ("file", b"\r\n--almost\r\n")]).chunks(7) {
        client.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
        tokio::task::yield_now().await;
    }
    client.send("0\r\n\r\n").await;
    let request = upstream.next_request().await;
    let fields: [(&str, &[u8]); 3] =
        [("language", b"en"), ("model", b"whisper-large-v3"), ("file", b"\r\n--almost\r\n")];
    assert_eq!(String::from_utf8_lossy(&request.body), String::from_utf8_lossy(&form(&fields)));
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_large_file_reaches_the_upstream_while_it_is_sent() {
    const FILE_BYTES: usize = 5 << 20;
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    let fields: [(&str, &[u8]); 1] = [("model", b"speech")];
    let start = form(&fields);
    let start = &start[..start.len() - BOUNDARY.len() - 6];
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    let file_head = part_head("file");
    let length = start.len() + file_head.len() + FILE_BYTES + end.len();
    client.send(head(&format!("content-length: {length}"))).await;
    client.send([start, file_head.as_bytes(), b"RIFF-first"].concat()).await;
    let mut request = upstream.next_head().await;
    request.read_until(b"RIFF-first").await;
    gateway.counts(&[1]).await;
    let most = [vec![b'x'; FILE_BYTES - 20], b"RIFF--last".to_vec()].concat();
    // Neither the gateway nor the system holds 5 MB, so both sides must go on at the same time.
    tokio::join!(client.send(most), request.read_count(FILE_BYTES - 10));
    assert!(request.body.ends_with(b"RIFF--last"), "all but the end is there before the end is sent");
    client.send(end).await;
    assert!(request.read_body().await);
    assert_eq!(request.body.len(), length - "speech".len() + "whisper-large-v3".len());
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(gateway.only_outcome().await, Outcome::Success);
}

#[tokio::test]
async fn what_the_upstream_does_not_take_the_gateway_does_not_hold() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    client.send(head(&format!("content-length: {}", 90 << 20))).await;
    client.send([part_head("model"), "speech\r\n".to_owned(), part_head("file")].concat()).await;
    let request = upstream.next_head().await;
    // Nobody reads at the other end: what the system's buffers do not hold must wait at the client.
    let flood = vec![b'x'; 64 << 20];
    let stuck = tokio::time::timeout(Duration::from_millis(300), client.send(&flood)).await;
    assert!(stuck.is_err(), "64 MB went into the gateway");
    client.leaves();
    request.closes();
    gateway.ends().await;
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_a_400() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let whole = form(&[("model", b"speech"), ("file", b"RIFF")]);
    let cut = &whole[..20];
    let cases: [(&str, Vec<u8>, &str); 7] = [
        (
            "another boundary",
            upload(&String::from_utf8_lossy(&whole).replace("7MA4", "XXXX").into_bytes()),
            "request_body",
        ),
        ("cut off", upload(cut), "request_body"),
        ("no model", upload(&form(&[("file", b"RIFF")])), "model"),
        ("an empty model", upload(&form(&[("model", b""), ("file", b"RIFF")])), "model"),
        ("two models", upload(&form(&[("model", b"speech"), ("model", b"m")])), "model"),
        ("an unknown model", upload(&form(&[("model", b"unknown"), ("file", b"RIFF")])), "model"),
        ("not yes or no", upload(&form(&[("stream", b"maybe"), ("model", b"speech")])), "stream"),
    ];
    for (name, bytes, param) in cases {
        let mut client = Client::connect(&gateway).await;
        client.send(bytes).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.error()["param"], param, "{name}");
    }
    let json = post(&gateway, PATH, r#"{"model":"speech"}"#).await;
    assert_eq!((json.status, json.error()["param"].as_str()), (400, Some("request_body")));
    upstream.saw_nothing();
    assert_eq!(gateway.told.pre_calls(), 0);
}

#[tokio::test]
async fn a_refusal_that_leaves_the_file_unread_says_that_the_connection_ends() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    let whole = upload(&form(&[("model", b"unknown"), ("file", &[b'x'; 100_000])]));
    client.send(&whole[..50_000]).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    client.wait_until_closed(super::wire::PATIENCE).await;
    upstream.saw_nothing();
}

#[tokio::test]
async fn an_upload_leaves_its_connection_to_the_next_request() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..3 {
        client.send(upload(&form(&[("model", b"speech"), ("file", &[b'x'; 100_000])]))).await;
        upstream.next_request().await.answers(200, "{}").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_file_ends_the_lease() {
    let mut upstream = Upstream::start().await;
    let gateway = gateway(&upstream);
    let mut client = Client::connect(&gateway).await;
    let whole = upload(&form(&[("model", b"speech"), ("file", &[b'x'; 100_000])]));
    client.send(&whole[..50_000]).await;
    let mut request = upstream.next_head().await;
    gateway.counts(&[1]).await;
    client.leaves();
    assert!(!request.read_body().await, "the upstream is told that the file is not whole");
    assert_eq!(gateway.only_outcome().await, Outcome::ClientLeft);
}

#[tokio::test]
async fn a_file_that_stops_coming_is_a_408() {
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([entry("speech", "openai/w", "a", &upstream.base())]);
    config.general.body_read_timeout = Duration::from_millis(100);
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    let whole = upload(&form(&[("model", b"speech"), ("file", &[b'x'; 100_000])]));
    client.send(&whole[..50_000]).await;
    let mut request = upstream.next_head().await;
    assert!(!request.read_body().await);
    let answer = client.answer().await;
    assert_eq!(answer.status, 408, "{}", answer.text());
    answer.error();
    client.wait_until_closed(super::wire::PATIENCE).await;
    assert_eq!(gateway.only_outcome().await, Outcome::ClientLeft);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_a_413() {
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([entry("speech", "openai/w", "a", &upstream.base())]);
    config.general.max_request_bytes = 10_000;
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.send(head("transfer-encoding: chunked")).await;
    let start = [part_head("model"), "speech\r\n".to_owned(), part_head("file")].concat();
    client.send(format!("{:x}\r\n{start}\r\n", start.len())).await;
    let mut request = upstream.next_head().await;
    let piece = format!("{:x}\r\n{}\r\n", 6000, "x".repeat(6000));
    client.send(piece.repeat(2)).await;
    assert!(!request.read_body().await);
    let answer = client.answer().await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    answer.error();
    gateway.ends().await;
}
