//! What watching an answer go by costs, without and with its tokens:
//! `cargo bench -p leastbusy-gateway --bench watch`.
#![expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]

use std::hint::black_box;

use leastbusy_gateway::openai::{SseWatch, UsageWatch};

mod fastest;

use fastest::fastest;

const EVENTS: usize = 100;

/// A chunk as vLLM writes it.
fn event(choices: &str, more: &str) -> Vec<u8> {
    format!(
        "data: {{\"id\":\"chatcmpl-8f14e45fceea167a5a36dedd4bea2543\",\"object\":\"chat.completion.chunk\",\
         \"created\":1760000000,\"model\":\"meta-llama/Llama-3.1-8B-Instruct\",\"choices\":[{choices}]{more}}}\n\n"
    )
    .into_bytes()
}

const WORD: &str = r#"{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}"#;
const STOP: &str =
    r#"{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null}"#;
const USAGE: &str = r#","usage":{"prompt_tokens":1200,"total_tokens":1300,"completion_tokens":100}"#;

/// An answer in one piece with about `bytes` bytes of text.
fn whole(bytes: usize) -> Vec<u8> {
    let text = "It was a bright cold day in April, and \\\"all\\\" the clocks were striking thirteen.\\n";
    let text = text.repeat(bytes / text.len());
    let message = format!(
        r#"{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}"#
    );
    let event = event(&message, USAGE);
    event.strip_prefix(b"data: ").expect("an event begins so").to_vec()
}

fn watched(watch: impl Fn() -> SseWatch, frames: &[Vec<u8>]) -> f64 {
    fastest(|| {
        let mut watch = watch();
        for frame in frames {
            watch.push(black_box(frame));
        }
        black_box((watch.ending(), watch.content_events(), watch.usage()));
    })
}

fn main() {
    let words = vec![event(WORD, ""); EVENTS];
    let end = [event(STOP, ""), event("", USAGE), b"data: [DONE]\n\n".to_vec()];
    println!("{:<34} {:>8} {:>16} {:>16}", "stream", "bytes", "no tokens, ns", "tokens, ns");
    for (name, frames, per) in
        [("one event", &words[..], EVENTS), ("its end: reason, usage, [DONE]", &end, 1)]
    {
        let bytes = frames.iter().map(Vec::len).sum::<usize>() / per;
        let (without, with) = (watched(SseWatch::new, frames), watched(SseWatch::for_tokens, frames));
        println!("{name:<34} {bytes:>8} {:>16.1} {:>16.1}", without / per as f64, with / per as f64);
    }
    println!("\n{:<34} {:>8} {:>33}", "answer in one piece", "bytes", "tokens, ns");
    for (name, bytes) in [("short", 100), ("2 KB", 2000), ("100 KB", 100_000)] {
        let body = whole(bytes);
        let found = fastest(|| {
            let mut watch = UsageWatch::default();
            watch.push(black_box(&body));
            black_box(watch.last().expect("the answer has a usage"));
        });
        println!("{name:<34} {:>8} {found:>33.0}", body.len());
    }
}
