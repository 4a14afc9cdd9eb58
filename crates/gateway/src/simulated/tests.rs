use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::answer::length;
use super::slots::Slots;
use super::{Engine, Fault, start};
use crate::config::SimulatedEngine;

const FIRST: Duration = Duration::from_millis(40);

fn engine_with(slots: u32, tokens_per_second: f64) -> SimulatedEngine {
    SimulatedEngine { slots, first_token_time: FIRST, tokens_per_second, mean_tokens: 5.0 }
}

async fn small(slots: u32, tokens_per_second: f64) -> Engine {
    start("small", &engine_with(slots, tokens_per_second)).await.unwrap()
}

/// Sends a request and leaves the connection open.
async fn send(engine: &Engine, method: &str, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(engine.addr()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// The status and the body, with chunked framing taken off.
async fn ask(engine: &Engine, method: &str, path: &str, body: &Value) -> (u16, String) {
    let mut socket = send(engine, method, path, &body.to_string()).await;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.contains("transfer-encoding: chunked");
    (status, if chunked { body.split("\r\n").skip(1).step_by(2).collect() } else { body.to_owned() })
}

async fn ask_json(engine: &Engine, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, body) = ask(engine, method, path, body).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn chat(tokens: u32) -> Value {
    json!({"model": "m", "max_tokens": tokens, "messages": [{"role": "user", "content": "Hello"}]})
}

fn streamed(mut request: Value) -> Value {
    request["stream"] = json!(true);
    request
}

/// The events of a stream: parsed chunks, and whether `[DONE]` came last.
fn events(body: &str) -> (Vec<Value>, bool) {
    let mut data: Vec<&str> =
        body.split("\n\n").filter(|event| !event.is_empty()).map(|event| &event["data: ".len()..]).collect();
    let done = data.pop_if(|last| *last == "[DONE]").is_some();
    (data.into_iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect(), done)
}

/// Waits until the engine is at peace, which must come at once.
async fn idle(engine: &Engine) -> bool {
    for _ in 0..50 {
        if engine.busy() == 0 && engine.waiting() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}

#[tokio::test]
async fn a_chat_names_the_engine_and_has_the_length_asked_for() {
    let engine = small(2, 1000.0).await;
    let (status, answer) = ask_json(&engine, "POST", "/v1/chat/completions", &chat(4)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["choices"][0]["message"]["content"], "small: Each request goes");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["system_fingerprint"], "small");
    assert_eq!(answer["usage"]["completion_tokens"], 4);
    assert!(idle(&engine).await);
}

#[tokio::test]
async fn a_streamed_chat_is_role_tokens_end_usage_done() {
    let engine = small(2, 1000.0).await;
    let mut request = streamed(chat(3));
    request["stream_options"] = json!({"include_usage": true});
    let (status, body) = ask(&engine, "POST", "/v1/chat/completions", &request).await;
    let (chunks, done) = events(&body);
    assert_eq!((status, done), (200, true));
    let choices: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]).collect();
    assert_eq!(choices[0]["delta"], json!({"role": "assistant", "content": ""}));
    let text: String =
        choices[1..4].iter().map(|choice| choice["delta"]["content"].as_str().unwrap()).collect();
    assert_eq!(text, "small: Each request");
    assert_eq!((&choices[4]["delta"], &choices[4]["finish_reason"]), (&json!({}), &json!("length")));
    assert_eq!(chunks[5]["usage"]["completion_tokens"], 3);
    assert_eq!(chunks.len(), 6);
}

#[tokio::test]
async fn without_include_usage_no_usage_comes() {
    let engine = small(1, 1000.0).await;
    let (_, body) = ask(&engine, "POST", "/v1/chat/completions", &streamed(chat(1))).await;
    assert!(!body.contains("usage"), "{body}");
}

#[tokio::test]
async fn completions_stream_and_answer_whole() {
    let engine = small(1, 1000.0).await;
    let request = json!({"model": "m", "prompt": "Hello", "max_tokens": 2});
    let (_, whole) = ask_json(&engine, "POST", "/v1/completions", &request).await;
    assert_eq!(whole["choices"][0]["text"], "small: Each");
    let (_, body) = ask(&engine, "POST", "/v1/completions", &streamed(request)).await;
    let (chunks, done) = events(&body);
    let text: String = chunks.iter().map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect();
    assert_eq!((text.as_str(), done), ("small: Each", true));
}

#[tokio::test]
async fn embeddings_are_the_same_for_the_same_text() {
    let engine = small(1, 1000.0).await;
    let request = json!({"model": "m", "input": ["one", "two", "one"]});
    let (status, answer) = ask_json(&engine, "POST", "/v1/embeddings", &request).await;
    let vectors: Vec<&Value> = (0..3).map(|index| &answer["data"][index]["embedding"]).collect();
    assert_eq!(status, 200);
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    assert_eq!(vectors[0].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn the_only_model_is_the_engine() {
    let engine = small(1, 1000.0).await;
    let (status, models) = ask_json(&engine, "GET", "/v1/models", &json!(null)).await;
    assert_eq!((status, &models["data"][0]["id"]), (200, &json!("small")));
}

#[tokio::test]
async fn mistakes_get_an_explanation() {
    let engine = small(1, 1000.0).await;
    let mut zero = chat(1);
    zero["max_tokens"] = json!(0);
    let mut endless = chat(1);
    endless["max_completion_tokens"] = json!(1_000_001);
    for (method, path, body, status, says) in [
        ("POST", "/v1/chat/completions", json!([1]), 400, "must be a JSON object"),
        ("POST", "/v1/chat/completions", json!({"messages": []}), 400, "missing field `model`"),
        ("POST", "/v1/chat/completions", zero, 400, "max_tokens must be 1 to 1000000, not 0"),
        ("POST", "/v1/chat/completions", endless, 400, "not 1000001"),
        ("GET", "/v1/chat/completions", json!(null), 405, "POST requests only"),
        ("POST", "/v1/nothing", json!({}), 404, "nothing at /v1/nothing"),
    ] {
        let (got, answer) = ask_json(&engine, method, path, &body).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert_eq!(got, status, "{method} {path} {body}");
        assert!(message.contains(says), "{method} {path} {body}: {message}");
    }
}

#[tokio::test]
async fn an_answer_takes_the_first_token_time_and_its_length() {
    let engine = small(1, 100.0).await;
    let sent = Instant::now();
    let mut socket = send(&engine, "POST", "/v1/chat/completions", &streamed(chat(11)).to_string()).await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("small:") {
        socket.read_buf(&mut seen).await.unwrap();
    }
    let first = sent.elapsed();
    socket.read_to_end(&mut seen).await.unwrap();
    let whole = sent.elapsed();
    // 40 ms to the first token and ten more at 100 a second. The upper bounds leave a busy machine room.
    assert!(FIRST <= first && first < Duration::from_millis(120), "{first:?}");
    assert!(Duration::from_millis(140) <= whole && whole < Duration::from_millis(400), "{whole:?}");
}

#[tokio::test]
async fn requests_beyond_the_slots_wait() {
    let engine = small(2, 1000.0).await;
    let mut sockets = Vec::new();
    for already in 0..5 {
        sockets.push(send(&engine, "POST", "/v1/chat/completions", &chat(60).to_string()).await);
        while engine.busy() + engine.waiting() == already {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((engine.busy(), engine.waiting(), engine.largest_in_flight()), (2, 3, 5));
    for socket in &mut sockets {
        socket.read_to_end(&mut Vec::new()).await.unwrap();
    }
    assert!(idle(&engine).await);
    assert_eq!(engine.largest_in_flight(), 5);
}

#[tokio::test]
async fn those_who_wait_are_served_in_the_order_they_came() {
    let slots = Slots::new(1);
    let first = slots.enter().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = JoinSet::new();
    for number in 1..=5 {
        let (slots, order) = (Arc::clone(&slots), Arc::clone(&order));
        waiting.spawn(async move {
            let _place = slots.enter().await;
            order.lock().unwrap().push(number);
        });
        tokio::task::yield_now().await;
    }
    assert_eq!((slots.busy(), slots.waiting()), (1, 5));
    drop(first);
    while waiting.join_next().await.is_some() {}
    assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_slot_streaming_or_not() {
    let engine = small(1, 1.0).await;
    for request in [chat(1000), streamed(chat(1000))] {
        let socket = send(&engine, "POST", "/v1/chat/completions", &request.to_string()).await;
        while engine.busy() == 0 {
            tokio::task::yield_now().await;
        }
        let queued = send(&engine, "POST", "/v1/chat/completions", &request.to_string()).await;
        while engine.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop((queued, socket));
        assert!(idle(&engine).await, "{} busy, {} waiting", engine.busy(), engine.waiting());
    }
}

#[tokio::test]
async fn stopping_and_dropping_cut_the_connections_and_close_the_port() {
    for drop_it in [false, true] {
        let engine = small(1, 1.0).await;
        let addr = engine.addr();
        let mut socket =
            send(&engine, "POST", "/v1/chat/completions", &streamed(chat(1000)).to_string()).await;
        while engine.busy() == 0 {
            tokio::task::yield_now().await;
        }
        if drop_it {
            drop(engine)
        } else {
            engine.stop().await
        }
        socket.read_to_end(&mut Vec::new()).await.unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }
}

#[tokio::test]
async fn speeds_that_cannot_be_are_refused() {
    let good = SimulatedEngine::default();
    for (bad, says) in [
        (SimulatedEngine { slots: 0, ..good.clone() }, "slots must be 1 to 100,000"),
        (SimulatedEngine { slots: 100_001, ..good.clone() }, "slots must be 1 to 100,000"),
        (SimulatedEngine { tokens_per_second: 0.0, ..good.clone() }, "tokens_per_second"),
        (SimulatedEngine { mean_tokens: f64::NAN, ..good.clone() }, "mean_tokens"),
        (SimulatedEngine { first_token_time: Duration::MAX, ..good.clone() }, "first_token_time"),
    ] {
        let error = start("tiny", &bad).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("tiny"), "{error}");
    }
    // The slowest an engine may be: its tokens are due in more years than an instant can hold.
    let slow = SimulatedEngine { tokens_per_second: f64::MIN_POSITIVE, ..good };
    let engine = start("slow", &slow).await.unwrap();
    let socket = send(&engine, "POST", "/v1/chat/completions", &chat(2).to_string()).await;
    while engine.busy() == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    assert!(idle(&engine).await);
}

#[tokio::test]
async fn open_lengths_repeat_with_the_name_and_with_the_requests_seed() {
    let lengths = async |seed: Option<i64>| {
        let engine = small(4, 1e6).await;
        let mut lengths = Vec::new();
        for _ in 0..6 {
            let request = json!({"model": "m", "messages": [], "seed": seed});
            let (_, answer) = ask_json(&engine, "POST", "/v1/chat/completions", &request).await;
            assert_eq!(answer["choices"][0]["finish_reason"], "stop");
            lengths.push(answer["usage"]["completion_tokens"].as_u64().unwrap());
        }
        lengths
    };
    let open = lengths(None).await;
    assert_eq!(open, lengths(None).await);
    assert!(open.iter().any(|length| *length != open[0]), "{open:?}");
    let seeded = lengths(Some(7)).await;
    assert!(seeded.iter().all(|length| *length == seeded[0]), "{seeded:?}");
}

#[test]
fn open_lengths_have_the_mean_that_was_set() {
    let total: u64 = (0..100_000).map(|number| u64::from(length(None, "small", number, 64.0))).sum();
    let mean = total as f64 / 100_000.0;
    // The standard error of this mean is 0.57 %; rounding up to one token adds less.
    assert!((mean / 64.0 - 1.0).abs() < 0.023, "{mean}");
}

#[tokio::test]
async fn an_engine_fails_as_it_is_told_and_is_well_again() {
    let engine = small(1, 1000.0).await;
    let raw = async || {
        let mut socket = send(&engine, "POST", "/v1/chat/completions", &streamed(chat(2)).to_string()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_millis(300), socket.read_to_end(&mut answer)).await;
        (read.is_ok(), String::from_utf8(answer).unwrap())
    };
    engine.fails(Fault::Errors);
    assert!(raw().await.1.starts_with("HTTP/1.1 500 "));
    engine.fails(Fault::RateLimits);
    let limited = raw().await.1;
    assert!(limited.starts_with("HTTP/1.1 429 ") && limited.contains("retry-after: 1\r\n"), "{limited}");
    engine.fails(Fault::HangsUp);
    assert_eq!(raw().await, (true, String::new()));
    engine.fails(Fault::Hangs);
    assert_eq!(raw().await, (false, String::new()));
    engine.fails(Fault::BreaksOff);
    let (closed, broken) = raw().await;
    assert!(closed && broken.contains(": thinking\n\n") && !broken.contains("data:"), "{broken}");
    assert!(!broken.ends_with("0\r\n\r\n"), "{broken}");
    engine.fails(Fault::None);
    assert_eq!(engine.fault(), Fault::None);
    assert!(raw().await.1.contains("data: [DONE]"));
    assert_eq!(engine.waiting() + engine.busy(), 0);
}

#[tokio::test]
async fn it_tells_of_its_load_in_vllms_names() {
    let engine = start("a \"b\"", &engine_with(2, 1.0)).await.unwrap();
    let (status, idle) = ask(&engine, "GET", "/metrics", &Value::Null).await;
    assert_eq!(status, 200);
    let gauge =
        |name: &str, value: &str| format!("vllm:{name}{{engine=\"0\",model_name=\"a \\\"b\\\"\"}} {value}\n");
    assert!(idle.contains(&gauge("num_requests_running", "0.0")), "{idle}");
    let _sockets = [
        send(&engine, "POST", "/v1/chat/completions", &chat(50).to_string()).await,
        send(&engine, "POST", "/v1/chat/completions", &chat(50).to_string()).await,
        send(&engine, "POST", "/v1/chat/completions", &chat(50).to_string()).await,
    ];
    for _ in 0..500 {
        if engine.waiting() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (_, full) = ask(&engine, "GET", "/metrics", &Value::Null).await;
    for expected in [
        gauge("num_requests_running", "2.0"),
        gauge("num_requests_waiting", "1.0"),
        gauge("kv_cache_usage_perc", "1.0"),
    ] {
        assert!(full.contains(&expected), "{full}");
    }
}

#[tokio::test]
async fn its_answers_carry_a_load_report_when_asked() {
    let engine = small(4, 1000.0).await;
    for stream in [false, true] {
        for (format, expected) in [
            ("TEXT", Some("TEXT named_metrics.kv_cache_usage_perc=")),
            ("json", Some("JSON {\"named_metrics\": {\"kv_cache_usage_perc\": ")),
            ("BIN", None),
        ] {
            let body = if stream { streamed(chat(2)) } else { chat(2) }.to_string();
            let length = body.len();
            let mut socket = TcpStream::connect(engine.addr()).await.unwrap();
            let request = format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\
                 endpoint-load-metrics-format: {format}\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            let report = answer.lines().find_map(|line| line.strip_prefix("endpoint-load-metrics: "));
            match expected {
                Some(expected) => {
                    assert!(report.is_some_and(|report| report.starts_with(expected)), "{answer}")
                }
                None => assert_eq!(report, None),
            }
        }
    }
}
