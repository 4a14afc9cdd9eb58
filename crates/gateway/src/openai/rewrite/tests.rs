use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http_body::Body;
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::openai::scan;

fn sent(body: UpstreamBody) -> Vec<u8> {
    let length = body.len();
    assert_eq!(body.size_hint().exact(), Some(length));
    let bytes = frames(body).concat();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

/// The body is always ready, so one poll a frame is enough and no runtime is needed.
fn frames(mut body: UpstreamBody) -> Vec<Bytes> {
    let mut context = Context::from_waker(Waker::noop());
    let mut frames = Vec::new();
    while let Poll::Ready(Some(frame)) = pin!(body.frame()).poll(&mut context) {
        frames.push(frame.unwrap().into_data().unwrap());
    }
    assert!(body.is_end_stream());
    frames
}

fn defaults(value: Value) -> DefaultParams {
    let Value::Object(map) = value else { panic!("defaults are an object") };
    DefaultParams::new(&map)
}

fn rewritten(body: &str, model: Option<&str>, params: Value) -> String {
    let body = Pieces::from(Bytes::from(body.to_owned()));
    let fields = scan(&body).unwrap();
    String::from_utf8(sent(rewrite(&body, &fields, model, &defaults(params), &Overlay::NONE))).unwrap()
}

#[test]
fn only_what_routing_must_change_changes() {
    for (body, expected) in [
        (r#"{"model":"a"}"#, r#"{"model":"up"}"#),
        (r#" { "x" : 1 , "model" : "a" , "y":2 } "#, r#" { "x" : 1 , "model" : "up" , "y":2 } "#),
        (r#"{"mod\u0065l":"a","model2":"a"}"#, r#"{"mod\u0065l":"up","model2":"a"}"#),
        (r#"{"timeout":1,"model":"a"}"#, r#"{"model":"up"}"#),
        (r#"{"model":"a","timeout":1}"#, r#"{"model":"up"}"#),
        (r#"{ "timeout" : 1 , "model":"a" , "tags":[1] }"#, r#"{ "model":"up" }"#),
        (r#"{"a":1,"timeout":1,"tags":[],"b":2,"model":"a"}"#, r#"{"a":1,"b":2,"model":"up"}"#),
        (
            r#"{"model":"a","metadata":{"tags":[1]},"x":{"tags":1}}"#,
            r#"{"model":"up","metadata":{"tags":[1]},"x":{"tags":1}}"#,
        ),
        (r#"{"model":"a","t\u0069meout":1,"mock_testing_fallbacks":true}"#, r#"{"model":"up"}"#),
        (r#"{}"#, r#"{"model":"up"}"#),
        (r#"{ }"#, r#"{"model":"up" }"#),
        (r#"{ "tags": [] }"#, r#"{ "model":"up" }"#),
        (r#"{"x":1, "tags": [] }"#, r#"{"x":1,"model":"up" }"#),
    ] {
        assert_eq!(rewritten(body, Some("up"), json!({})), expected, "{body}");
    }
}

#[test]
fn every_routing_extra_goes() {
    for extra in [
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "disable_fallbacks",
        "num_retries",
        "cooldown_time",
        "priority",
        "tags",
        "include_fallback_errors",
        "router_settings_override",
        "mock_response",
        "mock_timeout",
        "mock_testing_fallbacks",
        "mock_testing_rate_limit_error",
        "timeout",
        "stream_timeout",
        "request_timeout",
    ] {
        assert_eq!(rewritten(&format!(r#"{{"{extra}":1,"b":2}}"#), None, json!({})), r#"{"b":2}"#);
        assert_eq!(rewritten(&format!(r#"{{"b":2,"{extra}":1}}"#), None, json!({extra: 1})), r#"{"b":2}"#);
    }
}

#[test]
fn defaults_fill_only_what_the_client_left_open() {
    let params = json!({"temperature": 0.5, "stop": ["\n"], "model": "no", "tags": ["no"]});
    assert_eq!(
        rewritten(r#"{"model":"a"}"#, None, params.clone()),
        r#"{"model":"a","temperature":0.5,"stop":["\n"]}"#
    );
    assert_eq!(
        rewritten("{\"model\":\"a\",\"temper\\u0061ture\":null,\"timeout\":3\n}", Some("up"), params.clone()),
        "{\"model\":\"up\",\"temper\\u0061ture\":null,\"stop\":[\"\\n\"]\n}"
    );
    assert_eq!(rewritten("{\"timeout\":3}", None, params), r#"{"temperature":0.5,"stop":["\n"]}"#);
}

#[test]
fn a_model_name_is_escaped() {
    assert_eq!(rewritten(r#"{"model":"a"}"#, Some("x\"\\\n"), json!({})), r#"{"model":"x\"\\\n"}"#);
}

#[test]
fn an_unchanged_body_is_the_same_memory() {
    for text in [
        r#"{"model":"a\u0062","x":1}"#.to_owned(),
        format!(r#"{{"model":"ab","x":"{}"}}"#, "y".repeat(20_000)),
    ] {
        let (start, end) = text.split_at(text.len() / 2);
        let (start, end) = (Bytes::from(start.to_owned()), Bytes::from(end.to_owned()));
        for pieces in [vec![Bytes::from(text.clone())], vec![start, end]] {
            let body = Pieces::from(pieces.clone());
            let fields = scan(&body).unwrap();
            for model in [None, Some("ab")] {
                let same = rewrite(&body, &fields, model, &defaults(json!({"x": 2})), &Overlay::NONE);
                let places = |pieces: &[Bytes]| pieces.iter().map(|piece| piece.as_ptr()).collect::<Vec<_>>();
                assert_eq!(places(&frames(same)), places(&pieces));
            }
        }
    }
}

#[test]
fn a_large_body_is_not_copied() {
    let text = format!(r#"{{"a":"{0}","model":"a","b":"{0}","timeout":1}}"#, "y".repeat(20_000));
    let text = Bytes::from(text);
    let old = text.as_ptr_range();
    // The second cut goes through the model's name.
    let body = Pieces::from(vec![text.slice(..7_000), text.slice(7_000..20_019), text.slice(20_019..)]);
    let fields = scan(&body).unwrap();
    let new = rewrite(&body, &fields, Some("up"), &DefaultParams::default(), &Overlay::NONE);
    let replay = new.clone();
    let parts = frames(new.clone());
    let copied: usize = parts.iter().filter(|part| !old.contains(&part.as_ptr())).map(Bytes::len).sum();
    assert_eq!(copied, "\"up\"".len());
    let expected = format!(r#"{{"a":"{0}","model":"up","b":"{0}"}}"#, "y".repeat(20_000));
    assert!(sent(new) == expected.as_bytes());
    assert!(sent(replay) == expected.as_bytes());
}

fn member() -> impl Strategy<Value = (String, Value)> {
    let name = prop_oneof!["timeout|tags|num_retries|mock_testing_x|model|temperature|stop", "[a-c\n]{1,3}"];
    let value = prop_oneof![
        Just(json!(null)),
        Just(json!(1.5)),
        "[a\"é]{0,9}".prop_map(Value::from),
        Just(json!([{"tags": 1}]))
    ];
    (name, value)
}

proptest! {
    #[test]
    fn a_rewritten_body_reads_as_it_should(
        members in prop::collection::vec(member(), 0..9),
        params in prop::collection::vec(member(), 0..4),
        model in prop::option::of("[a\"]{1,3}"),
        space in "[ \n]{0,2}",
        long in any::<bool>(),
        seams in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        // Repeated names have no one meaning in a Value.
        let mut request: Map<String, Value> = members.into_iter().collect();
        if long {
            request.insert("long".to_owned(), "x".repeat(SPLIT_BYTES).into());
        }
        let text: Vec<_> =
            request.iter().map(|(k, v)| format!("{space}{}{space}:{space}{v}{space}", json!(k))).collect();
        let text = Bytes::from(format!("{space}{{{}{space}}}{space}", text.join(",")));
        let mut seams: Vec<_> = seams.iter().map(|seam| seam.index(text.len())).collect();
        seams.extend([0, text.len()]);
        seams.sort_unstable();
        let body = Pieces::from(seams.windows(2).map(|seam| text.slice(seam[0]..seam[1])).collect::<Vec<_>>());
        let params: Map<String, Value> = params.into_iter().collect();

        let fields = scan(&body).unwrap();
        let new = sent(rewrite(&body, &fields, model.as_deref(), &DefaultParams::new(&params), &Overlay::NONE));

        let mut expected = request.clone();
        expected.retain(|name, _| !is_routing_extra(name.as_bytes()));
        if let Some(model) = model {
            expected.insert("model".to_owned(), model.into());
        }
        for (name, value) in params {
            if name != "model" && !is_routing_extra(name.as_bytes()) && !request.contains_key(&name) {
                expected.insert(name, value);
            }
        }
        let got: Value = serde_json::from_slice(&new).unwrap();
        // Compared as text: the order of the fields counts.
        prop_assert_eq!(got.to_string(), Value::Object(expected).to_string());
        let new = Pieces::from(Bytes::from(new));
        prop_assert_eq!(scan(&new).unwrap().as_slice().len(), got.as_object().unwrap().len());
    }
}

fn overlay(json: &str) -> Overlay {
    let members: crate::openai::given::Members<'_> = serde_json::from_str(json).unwrap();
    Overlay::new(members.0)
}

#[test]
fn an_overlay_takes_the_place_of_fields_or_joins_them() {
    for (body, over, expected) in [
        (r#"{"model":"a","n":1}"#, r#"{"n":[2]}"#, r#"{"model":"up","n":[2],"d":0}"#),
        (r#"{"n": 1 ,"model":"a"}"#, r#"{"x":{"y":1}}"#, r#"{"n": 1 ,"model":"up","x":{"y":1},"d":0}"#),
        (r#"{"model":"a","\u006e":1}"#, r#"{"n":2}"#, r#"{"model":"up","\u006e":2,"d":0}"#),
        (r#"{"model":"a","n":1,"n":1}"#, r#"{"n":2}"#, r#"{"model":"up","n":2,"n":2,"d":0}"#),
        // The overlay goes before the deployment's defaults, as the client's own fields do.
        (r#"{"model":"a"}"#, r#"{"d":5}"#, r#"{"model":"up","d":5}"#),
        (r#"{"model":"a","d":4}"#, r#"{"d":5}"#, r#"{"model":"up","d":5}"#),
        // Where it goes and how it is answered is not the overlay's.
        (
            r#"{"model":"a","stream":true}"#,
            r#"{"model":"b","stream":false,"timeout":1,"tags":[]}"#,
            r#"{"model":"up","stream":true,"d":0}"#,
        ),
        (r#"{"timeout":1}"#, r#"{"q\"":"\n"}"#, r#"{"model":"up","q\"":"\n","d":0}"#),
        (r#"{"model":"a"}"#, r#"{}"#, r#"{"model":"up","d":0}"#),
    ] {
        let pieces = Pieces::from(Bytes::from(body.to_owned()));
        let fields = scan(&pieces).unwrap();
        let new = sent(rewrite(&pieces, &fields, Some("up"), &defaults(json!({"d": 0})), &overlay(over)));
        assert_eq!(String::from_utf8(new).unwrap(), expected, "{body} under {over}");
    }
}

#[test]
fn an_overlay_of_a_long_body_copies_only_itself() {
    let text = "x".repeat(2 * SPLIT_BYTES);
    let body = format!(r#"{{"n":1,"messages":"{text}","model":"a"}}"#);
    let pieces = Pieces::from(Bytes::from(body.clone()));
    let fields = scan(&pieces).unwrap();
    let new = rewrite(&pieces, &fields, None, &DefaultParams::default(), &overlay(r#"{"n":[1,2]}"#));
    let frames = frames(new);
    assert_eq!(frames.concat(), body.replace("\"n\":1", "\"n\":[1,2]").into_bytes());
    let inside = |frame: &Bytes| {
        let whole = pieces.piece(0).unwrap().as_ptr_range();
        whole.contains(&frame.as_ptr())
    };
    assert_eq!(frames.iter().map(inside).collect::<Vec<_>>(), [true, false, true]);
}
