//! Uploads that are sent again: the file streamed through once, and the next deployment gets the same bytes.

use super::client::Client;
use super::forms::upload_to;
use super::gateway::{Gateway, entry, retrying};
use super::script::Upstream;
use super::wire::find;

const PATH: &str = "/v1/audio/transcriptions";

fn file() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at * 7 % 256) as u8).collect()
}

/// The form behind the head of an upload.
fn form_of(upload: &[u8]) -> &[u8] {
    &upload[find(upload, b"\r\n\r\n").unwrap() + 4..]
}

#[tokio::test]
async fn a_form_is_sent_again_byte_for_byte_with_the_next_deployments_model() {
    let [mut a, mut b] = [Upstream::start().await, Upstream::start().await];
    let gateway = Gateway::start(&retrying([
        entry("speech", "openai/first", "a", &a.base()),
        entry("speech", "openai/second", "b", &b.base()),
    ]));
    let mut client = Client::connect(&gateway).await;
    client.send(upload_to(PATH, "speech", &file())).await;
    let request = a.next_request().await;
    assert!(request.body == form_of(&upload_to(PATH, "first", &file())), "{} bytes", request.body.len());
    request.answers(500, "{}").await;
    let request = b.next_request().await;
    assert!(request.body == form_of(&upload_to(PATH, "second", &file())), "{} bytes", request.body.len());
    request.answers(200, r#"{"text":"hello"}"#).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"text":"hello"}"#));
    assert_eq!((answer.served_by(), answer.detours()), ("b", (1, 0)));
    assert_eq!(gateway.story().await, ["a: server_error", "b: success"]);
}

#[tokio::test]
async fn a_form_of_which_only_a_part_went_out_is_sent_again_as_a_whole() {
    let [mut a, mut b] = [Upstream::start().await, Upstream::start().await];
    let gateway = Gateway::start(&retrying([
        entry("speech", "openai/first", "a", &a.base()),
        entry("speech", "openai/second", "b", &b.base()),
    ]));
    let mut client = Client::connect(&gateway).await;
    let upload = upload_to(PATH, "speech", &file());
    let (early, late) = upload.split_at(100_000);
    client.send(early).await;
    let mut request = a.next_head().await;
    request.read_count(50_000).await;
    request.resets();
    let request = b.next_head().await;
    client.send(late).await;
    let mut request = request;
    assert!(request.read_body().await);
    assert!(request.body == form_of(&upload_to(PATH, "second", &file())), "{} bytes", request.body.len());
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (1, 0));
    assert_eq!(gateway.story().await.len(), 2);
}

#[tokio::test]
async fn a_form_falls_back_to_another_group() {
    let [mut a, mut b] = [Upstream::start().await, Upstream::start().await];
    let mut config = retrying([
        entry("speech", "openai/first", "a", &a.base()),
        entry("spare", "openai/second", "b", &b.base()),
    ]);
    config.router.retries.num_retries = 0;
    config.router.fallbacks.general = vec![("speech".to_owned(), vec!["spare".to_owned()])];
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.send(upload_to(PATH, "speech", b"RIFF")).await;
    a.next_request().await.closes();
    let request = b.next_request().await;
    assert_eq!(request.body, form_of(&upload_to(PATH, "second", b"RIFF")));
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.detours(), (0, 1));
    assert_eq!(gateway.story().await, ["a: connection_failed", "b: success"]);
}
