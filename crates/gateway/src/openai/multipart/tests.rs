use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http_body::Body;

use super::*;

const CONTENT_TYPE: &[u8] = b"multipart/form-data; boundary=XYZ";
const LIMIT: usize = 1 << 20;

fn part(disposition: &str, content: &str) -> String {
    format!("--XYZ\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
}

fn form(parts: &[String]) -> String {
    format!("{}--XYZ--\r\n", parts.concat())
}

fn collected(body: &UpstreamBody) -> Vec<u8> {
    let mut sending = body.clone();
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = pin!(&mut sending).poll_frame(&mut context) {
        bytes.extend_from_slice(frame.data_ref().unwrap());
    }
    assert_eq!(bytes.len() as u64, body.len());
    bytes
}

/// What comes of `body` when it arrives in the given pieces: model, stream, and the whole body that
/// goes upstream with the model `up`.
fn read_pieces(pieces: &[&[u8]], limit: usize) -> Result<(String, bool, Vec<u8>), BadRequest> {
    let mut reader = FormReader::new(CONTENT_TYPE, limit)?;
    let mut pieces = pieces.iter();
    while let Some(piece) = pieces.next() {
        if let Some(head) = reader.push(Bytes::copy_from_slice(piece))? {
            let mut sent = collected(&head.rewrite(Some("up")));
            sent.extend(pieces.flat_map(|piece| piece.to_vec()));
            return Ok((head.model, head.stream, sent));
        }
    }
    Err(reader.at_end_of_body())
}

/// Reads `body` whole, cut at every place, and byte by byte. In all, model and upstream body are the same.
fn read(body: &[u8]) -> Result<(String, Vec<u8>), BadRequest> {
    let without_stream =
        |result: Result<(String, bool, Vec<u8>), BadRequest>| result.map(|(model, _, sent)| (model, sent));
    let whole = without_stream(read_pieces(&[body], LIMIT));
    for cut in 0..=body.len() {
        let (a, b) = body.split_at(cut);
        let cut_up = without_stream(read_pieces(&[a, b], LIMIT));
        // A mistake behind the model may not have arrived when the answer is given.
        if whole.is_ok() {
            assert_eq!(cut_up, whole, "cut at {cut}");
        }
    }
    let single: Vec<_> = body.chunks(1).collect();
    let single = without_stream(read_pieces(&single, LIMIT));
    if whole.is_ok() {
        assert_eq!(single, whole, "byte by byte");
    }
    whole
}

#[test]
fn the_model_is_found_and_replaced_wherever_it_stands() {
    let model = part("name=\"model\"", "whisper-1");
    let file = part(
        "name=\"file\"; filename=\"a; name=\\\"model\\\"\"\r\nContent-Type: audio/wav",
        "\r\n--XY\r\n--XYZA --XYZ\n--XYZ\r\n",
    );
    let other = part("name=prompt", "");
    for parts in [
        vec![model.clone(), file.clone()],
        vec![file.clone(), model.clone()],
        vec![other.clone(), model.clone(), file.clone(), other.clone()],
        vec![file, other, part("name=model", "whisper-1")],
    ] {
        let body = form(&parts);
        let (found, sent) = read(body.as_bytes()).unwrap();
        assert_eq!(found, "whisper-1");
        assert_eq!(String::from_utf8(sent).unwrap(), body.replace("whisper-1", "up"));
    }
}

#[test]
fn odd_but_right_forms_are_read() {
    let model = part("name=\"model\"", "m");
    for body in [
        format!("preamble --XYZ\r\n--XYZnot\r\n{}", form(std::slice::from_ref(&model))),
        format!("\r\n{}", form(std::slice::from_ref(&model))),
        form(&[format!("--XYZ \t\r\n\r\nno headers\r\n{model}")]),
        form(&["--XYZ\r\ncontent-disposition:form-data;NAME=\"model\"\r\nX: y\r\n\r\nm\r\n".to_owned()]),
        form(&[model.clone(), "--XYZ\r\nX: y\r\n\r\nno name\r\n".to_owned()]),
        model.clone() + "--XYZ\r\n",
    ] {
        assert_eq!(read(body.as_bytes()).unwrap().0, "m", "{body}");
    }
}

#[test]
fn the_files_bytes_are_not_held_back() {
    let head = part("name=\"model\"", "m") + "--XYZ\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    let mut reader = FormReader::new(CONTENT_TYPE, 200).unwrap();
    let found = reader.push(Bytes::from(head.clone())).unwrap().unwrap();
    assert_eq!(found.rewrite(Some("longer")).len(), head.len() as u64 + 5);
}

#[test]
fn stream_is_read_when_it_comes_before_the_model() {
    for (value, stream) in [("true", true), ("false", false), ("True", true)] {
        let body = form(&[part("name=\"stream\"", value), part("name=\"model\"", "m")]);
        let bytes: Vec<_> = body.as_bytes().chunks(1).collect();
        assert!(read_pieces(&bytes, LIMIT).unwrap().1 == stream);
    }
    for value in ["", "yes", "truest"] {
        let body = form(&[part("name=\"stream\"", value), part("name=\"model\"", "m")]);
        assert_eq!(read(body.as_bytes()).unwrap_err(), BadRequest::NotYesOrNo, "{value}");
    }
}

#[test]
fn bad_forms_are_refused_with_the_reason() {
    let bad = |problem| BadRequest::BadForm { problem };
    let model = |value: &str| part("name=\"model\"", value);
    let open = "it ends before its closing boundary";
    for (body, error) in [
        (String::new(), bad(open)),
        ("no boundary at all".to_owned(), bad(open)),
        (form(&[]), BadRequest::ModelMissing),
        (form(&[part("name=\"file\"", "model")]), BadRequest::ModelMissing),
        (form(&[model("")]), BadRequest::ModelEmpty),
        (form(&[model("a\u{7}")]), BadRequest::ModelNotText),
        (form(&[model(&"m".repeat(257))]), BadRequest::ModelTooLong),
        (form(&[model("a"), model("b")]), BadRequest::Repeated { param: "model" }),
        (model("a"), bad(open)),
        (
            form(&[part("name=\"model\"; name=\"x\"", "a")]),
            bad("a `content-disposition` header can be read in two ways"),
        ),
        (form(&[part("name=\"model", "a")]), bad("a `content-disposition` header can be read in two ways")),
        (
            form(&[part(&format!("name=\"{}\"", "x".repeat(MAX_PART_HEADER_BYTES)), "")]),
            bad("the headers of a part are too long"),
        ),
    ] {
        assert_eq!(read_pieces(&[body.as_bytes()], LIMIT).unwrap_err(), error, "{body:.80}");
    }
    let not_text =
        [b"--XYZ\r\nContent-Disposition: form-data; name=model\r\n\r\n", &b"\xff\r\n--XYZ--"[..]].concat();
    assert_eq!(read(&not_text).unwrap_err(), BadRequest::ModelNotText);
}

#[test]
fn a_model_behind_too_large_a_file_is_refused() {
    let file = part("name=\"file\"", &"f".repeat(5000));
    let body = form(&[file, part("name=\"model\"", "m")]);
    let chunks: Vec<_> = body.as_bytes().chunks(100).collect();
    assert_eq!(read_pieces(&chunks, 4000).unwrap_err(), BadRequest::ModelTooLate);
    assert_eq!(read_pieces(&chunks, 6000).unwrap().0, "m");
    assert_eq!(BadRequest::ModelTooLate.status().as_u16(), 413);
}

#[test]
fn the_boundary_is_read_from_the_content_type() {
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for (content_type, boundary) in [
        ("multipart/form-data; boundary=XYZ", Some("XYZ")),
        ("Multipart/Form-Data;charset=utf-8; Boundary=\"a b;c\" ; x=y", Some("a b;c")),
        ("multipart/form-data;boundary=----WebKit7MA4", Some("----WebKit7MA4")),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=\"a", None),
        ("multipart/form-data; boundary=\"a \"", None),
        ("multipart/mixed; boundary=a", None),
        ("application/json", None),
        ("", None),
        (&long, None),
    ] {
        let reader = FormReader::new(content_type.as_bytes(), LIMIT);
        let delimiter = boundary.map(|boundary| format!("\r\n--{boundary}").into_bytes());
        assert_eq!(reader.ok().map(|reader| reader.delimiter.to_vec()), delimiter, "{content_type}");
    }
}
