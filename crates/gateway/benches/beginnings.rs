//! What hashing the beginnings of a prompt costs, beside reading the body, which every request pays for:
//! `cargo bench -p leastbusy-gateway --bench beginnings`.
#![expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]

use std::hint::black_box;

use bytes::Bytes;
use leastbusy_gateway::openai::{Pieces, RequestHead, beginnings};

mod fastest;

use fastest::fastest;

/// A chat of about `bytes` bytes in messages of at most 3000, with line breaks and quotes.
fn chat(bytes: usize) -> Vec<u8> {
    let text = "It was a bright cold day in April, and \"all\" the clocks were striking thirteen.\n";
    let text = text.repeat(bytes.min(3000) / text.len());
    let roles = ["system", "user", "assistant"];
    let message = |turn: usize| serde_json::json!({"role": roles[turn.min(1 + turn % 2)], "content": text});
    let messages: Vec<_> = (0..bytes.div_ceil(3000)).map(message).collect();
    serde_json::json!({"model": "m", "stream": true, "messages": messages}).to_string().into_bytes()
}

/// One text of about `bytes` bytes, as long documents come.
fn document(bytes: usize) -> Vec<u8> {
    serde_json::json!({"model": "m", "prompt": "word ".repeat(bytes / 5)}).to_string().into_bytes()
}

/// The body as it comes over a connection.
fn in_pieces(body: &[u8]) -> Pieces {
    body.chunks(65_536).map(Bytes::copy_from_slice).collect::<Vec<_>>().into()
}

fn main() {
    println!(
        "{:<16} {:>9} {:>11} {:>13} {:>13}",
        "body", "bytes", "beginnings", "hashing, ns", "reading, ns"
    );
    for (name, body) in [
        ("chat 1 KB", chat(1000)),
        ("chat 10 KB", chat(10_000)),
        ("chat 100 KB", chat(100_000)),
        ("chat 1 MB", chat(1_000_000)),
        ("chat 5 MB", chat(5_000_000)),
        ("document 100 KB", document(100_000)),
        ("document 1 MB", document(1_000_000)),
    ] {
        let pieces = in_pieces(&body);
        let head = RequestHead::read(&pieces).expect("the body is a request");
        let found = beginnings(&pieces, &head.prompt, 7).len();
        let hashing = fastest(|| {
            black_box(beginnings(black_box(&pieces), &head.prompt, 7));
        });
        let reading = fastest(|| {
            black_box(RequestHead::read(black_box(&pieces)).expect("the body is a request").stream);
        });
        println!("{name:<16} {:>9} {found:>11} {hashing:>13.0} {reading:>13.0}", body.len());
    }
}
