//! Access lines: when a request arrived, how many tokens it took, and where that is not known.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leastbusy_gateway::serve::Options;
use leastbusy_gateway::telemetry::access::AccessLog;
use leastbusy_gateway::telemetry::lines::{self, LineWriter};
use leastbusy_gateway::telemetry::log::LogFormat;
use serde_json::{Value, json};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::client::{Answer, CHAT, Client, chat, chat_stream, post};
use super::gateway::{Gateway, deployment, eventually, on_one_worker};
use super::script::{Script, Upstream, answers, streams};

/// What a gateway has written.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        std::str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// The only line, once it is there.
    async fn line(&self) -> String {
        eventually("an access line", || !self.lines().is_empty()).await;
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }
}

/// A gateway before one deployment, and its access lines.
fn logging(base: &str, format: LogFormat) -> (Gateway, Written, LineWriter) {
    let written = Written::default();
    let (out, writer) = lines::start(written.clone()).unwrap();
    let options = Options { access_log: Some(AccessLog::new(out, format)), ..Options::default() };
    (Gateway::start_with(&on_one_worker([deployment("a", base)]), options), written, writer)
}

/// The answer and the line of a request whose upstream plays `script`.
async fn told_of(path: &str, body: &str, script: Script) -> (Answer, Value) {
    let upstream = Upstream::playing(script).await;
    let (gateway, written, _writer) = logging(&upstream.base(), LogFormat::Json);
    let answer = post(&gateway, path, body).await;
    (answer, serde_json::from_str(&written.line().await).unwrap())
}

/// What a line says of tokens: prompt, output, and what that is worth.
fn tokens(line: &Value) -> (Option<u64>, Option<u64>, Option<&str>) {
    (line["prompt_tokens"].as_u64(), line["output_tokens"].as_u64(), line["tokens"].as_str())
}

fn counted(prompt: u64, output: u64) -> (Option<u64>, Option<u64>, Option<&'static str>) {
    (Some(prompt), Some(output), Some("counted"))
}

const RESPONSES: &str = "/v1/responses";
const USAGE: &str = r#""usage":{"prompt_tokens":1200,"completion_tokens":34,"total_tokens":1234}"#;
const ROLE: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const WORD: &str = r#"{"choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// A chat's preamble and three words.
fn three_words() -> Script {
    streams().event(ROLE).event(WORD).event(WORD).event(WORD)
}

#[tokio::test]
async fn an_answer_in_one_piece_tells_its_tokens_and_stays_as_it_is() {
    let chat_answer = format!(r#"{{"choices":[{{"message":{{"content":"hi"}}}}],{USAGE}}}"#);
    let response = r#"{"output":[],"usage":{"input_tokens":1200,"output_tokens":34},"user":null}"#;
    let (front, back) = chat_answer.as_bytes().split_at(chat_answer.len() - 40);
    for (path, script, body) in [
        (CHAT, answers(200).json(&chat_answer), chat_answer.as_str()),
        ("/v1/completions", answers(200).json(&chat_answer), &chat_answer),
        (RESPONSES, answers(200).json(response), response),
        (CHAT, answers(200).chunked().chunk(front).chunk(back).last_chunk(), &chat_answer),
    ] {
        let (answer, line) = told_of(path, &chat("m"), script).await;
        assert_eq!(answer.text(), body);
        assert_eq!(tokens(&line), counted(1200, 34), "{line}");
        assert_eq!((&line["model_group"], &line["status"]), (&json!("m"), &json!(200)));
    }
}

#[tokio::test]
async fn an_answer_too_long_to_be_held_tells_its_tokens_too() {
    let body = format!(r#"{{"choices":[{{"text":"{}"}}],{USAGE}}}"#, "long ".repeat(500_000));
    let (answer, line) = told_of("/v1/completions", &chat("m"), answers(200).json(&body)).await;
    assert_eq!(answer.text(), body);
    assert_eq!(tokens(&line), counted(1200, 34));
}

#[tokio::test]
async fn a_stream_tells_the_tokens_of_its_usage() {
    let usage = format!(r#"{{"choices":[],{USAGE}}}"#);
    let response = "event: response.output_text.delta\ndata: {\"delta\":\"w\"}\n\n\
        event: response.completed\n\
        data: {\"response\":{\"usage\":{\"input_tokens\":1200,\"output_tokens\":34}}}\n\n";
    let usage_event = format!("data: {usage}\n\n");
    let (front, back) = usage_event.as_bytes().split_at(usage_event.len() / 2);
    for (path, script) in [
        (CHAT, three_words().event(STOP).event(&usage).done()),
        (CHAT, three_words().event(STOP).chunk(front).chunk(back).done()),
        (RESPONSES, streams().chunk(response.as_bytes()).last_chunk()),
    ] {
        let (answer, line) = told_of(path, &chat_stream("m"), script).await;
        assert!(answer.whole && answer.text().contains("_tokens"));
        assert_eq!(tokens(&line), counted(1200, 34), "{line}");
        assert_eq!(line["stream"], true);
    }
}

#[tokio::test]
async fn a_stream_without_usage_is_estimated_by_its_events() {
    let prompt = chat_stream("m").len() as u64 / 4;
    let response = [
        ("response.created", r#"{"response":{}}"#),
        ("response.output_item.added", "{}"),
        ("response.output_text.delta", r#"{"delta":"a"}"#),
        ("response.output_text.delta", r#"{"delta":"b"}"#),
        ("response.output_text.delta", r#"{"delta":"c"}"#),
        ("response.output_text.done", r#"{"text":"abc"}"#),
        ("response.completed", r#"{"response":{"usage":null}}"#),
    ]
    .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"));
    let bad = r#"{"choices":[],"usage":{"prompt_tokens":"12","completion_tokens":-1}}"#;
    for (path, script) in [
        (CHAT, three_words().event(STOP).done()),
        (CHAT, three_words().event(STOP).event(bad).done()),
        (CHAT, three_words().then_closes()),
        (
            CHAT,
            streams()
                .chunk(format!("data: {ROLE}\n\ndata: {WORD}\n\n").as_bytes())
                .event(WORD)
                .event(WORD)
                .done(),
        ),
        (
            RESPONSES,
            response.iter().fold(streams(), |script, event| script.chunk(event.as_bytes())).last_chunk(),
        ),
    ] {
        let (_, line) = told_of(path, &chat_stream("m"), script).await;
        assert_eq!(tokens(&line), (Some(prompt), Some(3), Some("estimated")), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_has_taken_what_came_until_then() {
    let mut upstream = Upstream::start().await;
    let (gateway, written, _writer) = logging(&upstream.base(), LogFormat::Json);
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    request.begins_stream().await;
    for _ in 0..2 {
        request.event(WORD).await;
    }
    client.head().await;
    client.text().await;
    client.text().await;
    client.leaves();
    let line: Value = serde_json::from_str(&written.line().await).unwrap();
    assert_eq!(
        (line["complete"].as_bool(), line["output_tokens"].as_u64()),
        (Some(false), Some(2)),
        "{line}"
    );
}

#[tokio::test]
async fn a_usage_that_is_no_use_makes_an_estimate() {
    for usage in [
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":{"prompt_tokens":"12","completion_tokens":"3"}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":-3}}"#,
        r#"{"usage":{"prompt_tokens":99999999999,"completion_tokens":3}}"#,
        r#"{"usage":{"prompt_tokens":12}}"#,
        r#"{"usage":[1,2]}"#,
        r#"{"usage":{"prompt_tokens":12,"#,
        "not JSON",
    ] {
        let (answer, line) = told_of(CHAT, &chat("m"), answers(200).json(usage)).await;
        assert_eq!(answer.text(), usage);
        let expected = (Some(chat("m").len() as u64 / 4), Some(usage.len() as u64 / 4), Some("estimated"));
        assert_eq!(tokens(&line), expected, "{line}");
    }
}

#[tokio::test]
async fn embeddings_have_a_prompt_alone() {
    let body = r#"{"model":"m","input":"a text of some length"}"#;
    let answer = r#"{"data":[],"usage":{"prompt_tokens":8,"completion_tokens":0,"total_tokens":8}}"#;
    let (_, line) = told_of("/v1/embeddings", body, answers(200).json(answer)).await;
    assert_eq!(tokens(&line), (Some(8), None, Some("counted")), "{line}");
    let (_, line) = told_of("/v1/embeddings", body, answers(200).json(r#"{"data":[]}"#)).await;
    assert_eq!(tokens(&line), (Some(body.len() as u64 / 4), None, Some("estimated")), "{line}");
}

#[tokio::test]
async fn what_cannot_be_read_has_an_estimate_of_its_prompt_alone() {
    for script in [
        answers(200).header("content-encoding", "gzip").json("\u{1f}\u{8b}"),
        answers(200).raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"),
    ] {
        let (_, line) = told_of(CHAT, &chat("m"), script).await;
        assert_eq!(tokens(&line), (Some(chat("m").len() as u64 / 4), None, Some("estimated")), "{line}");
    }
}

#[tokio::test]
async fn errors_and_other_endpoints_have_no_tokens() {
    let with_usage = format!("{{{USAGE}}}");
    for (path, body, script) in [
        (CHAT, chat("m"), answers(500).json(&with_usage)),
        (CHAT, chat("m"), answers(400).json(&with_usage)),
        (CHAT, chat("unknown"), answers(200).json(&with_usage)),
        (CHAT, "no JSON".to_owned(), answers(200).json(&with_usage)),
        (CHAT, chat_stream("m"), streams().event(r#"{"error":{"message":"no"}}"#).last_chunk()),
        ("/v1/rerank", chat("m"), answers(200).json(&with_usage)),
        ("/v1/moderations", chat("m"), answers(200).json(&with_usage)),
    ] {
        let (_, line) = told_of(path, &body, script).await;
        for field in ["prompt_tokens", "output_tokens", "tokens"] {
            assert_eq!(line.get(field), None, "{line}");
        }
    }
}

#[tokio::test]
async fn the_time_is_the_arrival() {
    let mut upstream = Upstream::start().await;
    let (gateway, written, _writer) = logging(&upstream.base(), LogFormat::Json);
    let mut client = Client::connect(&gateway).await;
    let before = now();
    client.asks("m").await;
    let request = upstream.next_request().await;
    let after = now();
    tokio::time::sleep(Duration::from_millis(80)).await;
    request.answers(200, "{}").await;
    client.answer().await;
    let line: Value = serde_json::from_str(&written.line().await).unwrap();
    let time = line["time"].as_str().unwrap();
    assert_eq!(time.len(), "2026-11-23T07:31:31.345235Z".len(), "{time}");
    assert!(*before <= *time && *time <= *after, "{before} {time} {after}");
    assert!(80.0 <= line["duration_ms"].as_f64().unwrap());
}

/// The present time, in words that sort as the times do.
fn now() -> String {
    let mut time = String::new();
    tracing_subscriber::fmt::time::SystemTime.format_time(&mut Writer::new(&mut time)).unwrap();
    time
}

#[tokio::test]
async fn a_line_of_text_tells_the_same() {
    for (path, script, expected) in [
        (CHAT, answers(200).json(&format!("{{{USAGE}}}")), " tokens 1200 in 34 out "),
        (CHAT, answers(200).json("{\"id\":\"c\"}"), " tokens ~6 in ~2 out "),
        ("/v1/embeddings", answers(200).json(r#"{"usage":{"prompt_tokens":8}}"#), " tokens 8 in "),
    ] {
        let upstream = Upstream::playing(script).await;
        let (gateway, written, _writer) = logging(&upstream.base(), LogFormat::Text);
        post(&gateway, path, &chat("m")).await;
        let line = written.line().await;
        assert!(line.contains(expected), "{line}");
    }
}

#[tokio::test]
async fn nothing_that_was_said_is_in_a_line() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"swordfish"}]}"#;
    let answer = format!(r#"{{"choices":[{{"message":{{"content":"marlin"}}}}],{USAGE}}}"#);
    let (_, line) = told_of(CHAT, body, answers(200).json(&answer)).await;
    let line = line.to_string();
    assert!(!line.contains("swordfish") && !line.contains("marlin"), "{line}");
}
