//! What reading a request body costs, beside serde_json doing the same:
//! `cargo bench -p leastbusy-gateway --bench scan`.
#![expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]

use std::borrow::Cow;
use std::hint::black_box;

use bytes::Bytes;
use leastbusy_gateway::openai::{Pieces, RequestHead};
use serde_json::value::RawValue;

mod fastest;

use fastest::fastest;

#[derive(serde::Deserialize)]
struct Chat<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    #[serde(borrow)]
    messages: &'a RawValue,
}

/// A conversation of about `bytes` bytes: line breaks, quotes and now and then a letter that is not ASCII.
fn chat(bytes: usize) -> Vec<u8> {
    let text = "It was a bright cold day in April, and \"all\" the clocks were striking thirteen.\n\
                Der Zug f\u{e4}hrt um 13 Uhr; Tee kostet 3 \u{20ac}. Please answer in one sentence.\n";
    let mut messages = Vec::new();
    let mut length = 150;
    while length < bytes {
        let role = if messages.len() % 2 == 0 { "user" } else { "assistant" };
        let content = text.repeat(bytes.min(3000) / 1000);
        length += content.len() + 40;
        messages.push(serde_json::json!({"role": role, "content": content}));
    }
    let body = serde_json::json!({
        "model": "gpt-4o-mini", "messages": messages, "temperature": 0.7, "max_tokens": 256, "stream": true,
    });
    body.to_string().into_bytes()
}

/// English prose of about `bytes` bytes with a line feed each 75 characters and a quoted word each 200, as
/// `benches/cpu-per-request` sends it.
fn prose(bytes: usize) -> Vec<u8> {
    let text = "The gateway stands before several deployments of the same model, and sends\n\
                each request to the one that is least busy: the one with the fewest still\n\
                in flight for its weight, counted to the last byte. \"Busy\" means just that.\n";
    let content = text.repeat(bytes / text.len());
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    body.to_string().into_bytes()
}

/// A picture of about `bytes` bytes in base64.
fn image(bytes: usize) -> Vec<u8> {
    let url = format!("data:image/png;base64,{}", "iVBORw0KGgoAAAANSUhEUgAAAAE".repeat(bytes / 27));
    let content = serde_json::json!([{"type": "image_url", "image_url": {"url": url}}]);
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    body.to_string().into_bytes()
}

fn main() {
    println!("{:<18} {:>10} {:>14} {:>14}", "body", "bytes", "ours, ns", "serde_json, ns");
    for (name, body) in [
        ("chat 200 B", chat(300)),
        ("chat 1 KB", chat(1000)),
        ("chat 100 KB", chat(100_000)),
        ("chat 5 MB", chat(5_000_000)),
        ("prose 100 KB", prose(100_000)),
        ("image 100 KB", image(100_000)),
        ("image 5 MB", image(5_000_000)),
    ] {
        let pieces = Pieces::from(Bytes::from(body.clone()));
        let ours = fastest(|| {
            let head = RequestHead::read(black_box(&pieces)).expect("the body is a chat request");
            black_box((head.model, head.stream));
        });
        let serde = fastest(|| {
            let chat: Chat<'_> =
                serde_json::from_slice(black_box(&body)).expect("the body is a chat request");
            black_box((chat.model, chat.stream, chat.messages));
        });
        println!("{name:<18} {:>10} {ours:>14.0} {serde:>14.0}", body.len());
    }
}
