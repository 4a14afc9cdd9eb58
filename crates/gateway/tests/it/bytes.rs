//! Bodies pass through as they came, except for what routing must change.

use std::time::Duration;

use serde_json::json;

use super::client::{CHAT, Client, post, request};
use super::gateway::{Gateway, config, deployment, entry};
use super::script::{Upstream, answers, streams};

/// Sends a body and gives what the upstream received.
async fn received(gateway: &Gateway, upstream: &mut Upstream, body: &str) -> String {
    let mut client = Client::connect(gateway).await;
    client.post(CHAT, body).await;
    let seen = upstream.next_request().await;
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
    let body = String::from_utf8(seen.body.clone()).unwrap();
    seen.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    body
}

#[tokio::test]
async fn a_body_that_needs_no_change_arrives_byte_for_byte() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let long = format!(r#"{{"messages":["{}"],"model":"m"}}"#, "long ".repeat(20_000));
    let bodies = [
        r#"{"model":"m","messages":[]}"#,
        "\t{ \"messages\" : [ { \"role\":\"user\" } ] ,\r\n \"model\" : \"m\" }\n ",
        r#"{"zeta":1,"model":"m","alpha":2,"zeta":3}"#,
        r#"{"model":"m","text":"é 😀 \u00e9 \ud83d\ude00 \/ \u0000"}"#,
        r#"{"model":"m","lone":"\ud800"}"#,
        r#"{"model":"\u006d"}"#,
        r#"{"model":"m","n":1.0,"big":123456789012345678901234567890,"e":1E400,"minus":-0}"#,
        r#"{"model":"m","metadata":{"tags":["a"],"model":"not this one","timeout":1}}"#,
        r#"{"model":"m","stream":null,"api_base":"http://elsewhere","base_url":"x","api_key":"sk-mine"}"#,
        &long,
    ];
    for body in bodies {
        assert_eq!(received(&gateway, &mut upstream, body).await, body);
    }
}

#[tokio::test]
async fn only_the_model_and_what_is_for_the_router_change() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&config([entry("pretty", "hosted_vllm/Qwen/Qwen3", "a", &upstream.base())]));
    let filler = "long ".repeat(20_000);
    let cases = [
        (
            "{ \"b\":1 , \"model\" :\t\"pretty\" , \"a\" : \"\\u00e9\" , \"b\":2 }".to_owned(),
            "{ \"b\":1 , \"model\" :\t\"Qwen/Qwen3\" , \"a\" : \"\\u00e9\" , \"b\":2 }".to_owned(),
        ),
        (
            r#"{"timeout":30,"model":"pretty","num_retries":2,"messages":[],"tags":["a"]}"#.to_owned(),
            r#"{"model":"Qwen/Qwen3","messages":[]}"#.to_owned(),
        ),
        (
            r#"{"model":"pretty","messages":[{"model":"pretty","timeout":1}]}"#.to_owned(),
            r#"{"model":"Qwen/Qwen3","messages":[{"model":"pretty","timeout":1}]}"#.to_owned(),
        ),
        (
            format!(r#"{{"messages":["{filler}"],"model":"pretty","seed":1}}"#),
            format!(r#"{{"messages":["{filler}"],"model":"Qwen/Qwen3","seed":1}}"#),
        ),
    ];
    for (sent, expected) in cases {
        assert_eq!(received(&gateway, &mut upstream, &sent).await, expected);
    }
}

#[tokio::test]
async fn a_body_that_comes_in_ragged_pieces_arrives_byte_for_byte() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&config([entry("pretty", "hosted_vllm/Qwen/Qwen3", "a", &upstream.base())]));
    let text = "A \\\"bright\\\" cold day\\n für 3 € \\u00e9🦀 ".repeat(6_000);
    let sent = format!(r#"{{"messages":["{text}"],"model":"pretty","timeout":30,"seed":[1,true,null]}}"#);
    let expected = format!(r#"{{"messages":["{text}"],"model":"Qwen/Qwen3","seed":[1,true,null]}}"#);
    assert!(200_000 < sent.len());
    let whole = request(CHAT, "", sent.as_bytes());
    let mut client = Client::connect(&gateway).await;
    // Twice, since the gateway reads more at once from a connection that has brought much.
    for round in 0..2 {
        let mut rest = &whole[..];
        for size in [1, 7, 300, 5_000, 8_192, 33, 40_000, 65_537, 3].into_iter().cycle() {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            client.send(piece).await;
            // Time for the gateway to read this before the next comes.
            tokio::time::sleep(Duration::from_millis(2)).await;
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let seen = upstream.next_request().await;
        assert_eq!(seen.header("content-length"), Some(expected.len().to_string().as_str()));
        assert!(seen.body == expected.as_bytes(), "round {round}");
        seen.answers(200, "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn a_chunked_body_of_many_short_chunks_arrives_byte_for_byte() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let body = format!(r#"{{"messages":["{}"],"model":"m"}}"#, "é🦀".repeat(5_000));
    let chunks = body
        .as_bytes()
        .chunks(5)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut client = Client::connect(&gateway).await;
    client
        .send([head.into_bytes(), chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat())
        .await;
    let seen = upstream.next_request().await;
    assert!(seen.body == body.as_bytes());
    seen.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn default_parameters_join_where_the_client_left_them_open() {
    let mut upstream = Upstream::start().await;
    let mut deployment = deployment("a", &upstream.base());
    let defaults = json!({ "temperature": 0.5, "chat_template_kwargs": { "thinking": false } });
    deployment.default_params = defaults.as_object().unwrap().clone();
    let gateway = Gateway::start(&config([deployment]));
    assert_eq!(
        received(&gateway, &mut upstream, r#"{"model":"m"}"#).await,
        r#"{"model":"m","temperature":0.5,"chat_template_kwargs":{"thinking":false}}"#,
    );
    assert_eq!(
        received(&gateway, &mut upstream, r#"{"temperature":1,"model":"m"}"#).await,
        r#"{"temperature":1,"model":"m","chat_template_kwargs":{"thinking":false}}"#,
    );
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_slowly() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(head).await;
    let body = r#"{"model":"m","messages":["pieces"]}"#;
    for piece in body.as_bytes().chunks(3) {
        client.send([format!("{:x};odd=1\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
        tokio::task::yield_now().await;
    }
    client.send("0\r\nx-trailer: 1\r\n\r\n").await;
    let seen = upstream.next_request().await;
    assert_eq!(String::from_utf8_lossy(&seen.body), body);
    assert_eq!(seen.header("transfer-encoding"), None, "its length is known by now");
    seen.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn answers_arrive_byte_for_byte_however_they_are_cut() {
    let text: String = (0..100_000).map(|at| char::from(b' ' + (at % 90) as u8)).collect();
    let odd = "{ \"model\":\"Not-M\" , \"x\":\"\\u00e9 é\" }\r\n\r\n";
    let single = odd.bytes().fold(answers(200).chunked(), |script, byte| script.chunk(&[byte])).last_chunk();
    let extension = answers(200).chunked().raw(b"2;name=\"va lue\"\r\n{}\r\n").last_chunk();
    let cases = [
        (answers(200).json(odd), odd),
        (single, odd),
        (extension, "{}"),
        (answers(200).json(&text), text.as_str()),
        (answers(200).chunked().chunk(text.as_bytes()).last_chunk(), text.as_str()),
    ];
    for (script, expected) in cases {
        let upstream = Upstream::playing(script).await;
        let gateway = Gateway::before(&upstream.base());
        let answer = post(&gateway, CHAT, r#"{"model":"m"}"#).await;
        assert!(answer.text() == expected, "{} bytes instead of {}", answer.body.len(), expected.len());
        assert!(answer.whole);
    }
}

#[tokio::test]
async fn a_length_that_is_known_stays_known() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, r#"{"model":"m"}"#).await;
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (Some("2"), None));
}

#[tokio::test]
async fn odd_streams_arrive_as_they_are() {
    let odd = ": comment\r\n\r\nevent: x\ndata: a\ndata: b\n\nid: 7\rdata:no space\r\rretry: 1\n\n";
    let script = streams().chunk(odd.as_bytes()).event("[DONE]").chunk(b": behind the end\n\n").last_chunk();
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, r#"{"model":"m","stream":true}"#).await;
    assert_eq!(answer.text(), format!("{odd}data: [DONE]\n\n: behind the end\n\n"));
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_may_send_its_body() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    let whole = request(CHAT, "expect: 100-continue\r\n", br#"{"model":"m"}"#);
    let body_at = whole.len() - br#"{"model":"m"}"#.len();
    client.send(&whole[..body_at]).await;
    assert_eq!(client.head().await.first_line, "HTTP/1.1 100 Continue");
    client.send(&whole[body_at..]).await;
    let seen = upstream.next_request().await;
    assert_eq!(seen.header("expect"), None);
    seen.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
}
