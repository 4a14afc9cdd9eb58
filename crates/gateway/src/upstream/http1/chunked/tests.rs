use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use proptest::prelude::*;

use super::{Chunked, Found, SIZE_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::upstream::http1::head::Flaw;

/// What a body says when it comes in these pieces: its data, its trailers, and what is left behind it.
fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<HeaderMap>, Bytes, Chunked), Flaw> {
    let mut chunked = Chunked::Size;
    let (mut data, mut trailers) = (Vec::new(), None);
    let mut buffer = BytesMut::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(found) = chunked.next(&mut buffer)? {
            match found {
                Found::Data(found) => {
                    assert!(!found.is_empty());
                    data.extend_from_slice(&found);
                }
                Found::Trailers(found) => trailers = Some(found),
            }
        }
    }
    Ok((data, trailers, buffer.freeze(), chunked))
}

const BODY: &[u8] =
    b"4\r\nWiki\r\n00A;name=\"va;lue\"\r\npedia in\r\n\r\n1 \r\n.\r\n0\r\nx-sum: 1\r\nX-Two:2\r\n\r\n";

fn is_read_right(pieces: &[&[u8]]) {
    let (data, trailers, rest, state) = read(pieces).unwrap();
    assert_eq!(data, b"Wikipedia in\r\n.", "{pieces:?}");
    let trailers = trailers.unwrap();
    assert_eq!((&trailers["x-sum"], &trailers["x-two"]), (&"1".parse().unwrap(), &"2".parse().unwrap()));
    assert_eq!((&rest[..], state), (&b"next"[..], Chunked::Over));
}

#[test]
fn every_split_of_a_body_says_the_same() {
    let message = [BODY, b"next"].concat();
    for first in 0..=message.len() {
        for second in first..=message.len() {
            is_read_right(&[&message[..first], &message[first..second], &message[second..]]);
        }
    }
    let bytes: Vec<_> = message.chunks(1).collect();
    is_read_right(&bytes);
}

#[test]
fn the_last_data_is_known_to_be_the_last_when_the_end_is_here() {
    let mut buffer = BytesMut::from(&b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"[..]);
    let mut chunked = Chunked::Size;
    assert_eq!(chunked.next(&mut buffer), Ok(Some(Found::Data("one".into()))));
    assert_ne!(chunked, Chunked::Over);
    assert_eq!(chunked.next(&mut buffer), Ok(Some(Found::Data("two".into()))));
    assert_eq!((chunked, buffer.len()), (Chunked::Over, 0));
}

#[test]
fn what_is_no_chunk_is_refused_however_it_is_split() {
    for wrong in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\na\r\n",
        "0x1\r\na\r\n",
        " 1\r\na\r\n",
        "1 2\r\na\r\n",
        "1\na\r\n",
        "1\r\r\na\r\n",
        "1;a\rb\r\na\r\n",
        "1;a\nb\r\na\r\n",
        ";a\r\n",
        "11111111111111111\r\n",
        "00000000000000001\r\na\r\n",
        "1\r\nab\r\n",
        "1\r\na\n",
        "1\r\na\r\r",
        "1\r\na0\r\n\r\n",
        "0\r\n : x\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\na: \x01\r\n\r\n",
    ] {
        let wrong = wrong.as_bytes();
        assert!(read(&[wrong]).is_err(), "{}", wrong.escape_ascii());
        let bytes: Vec<_> = wrong.chunks(1).collect();
        assert!(read(&bytes).is_err(), "{}", wrong.escape_ascii());
    }
}

#[test]
fn the_largest_size_is_told_and_a_larger_one_refused() {
    let mut buffer = BytesMut::from(&b"fFffFFffFFffFFff\r\nab"[..]);
    let mut chunked = Chunked::Size;
    assert_eq!(chunked.next(&mut buffer), Ok(Some(Found::Data("ab".into()))));
    assert_eq!(chunked, Chunked::Data(u64::MAX - 2));
}

#[test]
fn lines_that_take_too_long_are_refused() {
    let size = |extension: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(extension));
    assert!(read(&[size(SIZE_LINE_BYTES_MAX - 10).as_bytes()]).is_ok());
    assert!(read(&[size(SIZE_LINE_BYTES_MAX).as_bytes()]).is_err());
    assert!(read(&["1;".as_bytes(), "x".repeat(SIZE_LINE_BYTES_MAX).as_bytes()]).is_err());
    let trailer = |value: usize| format!("0\r\na: {}\r\n\r\n", "x".repeat(value));
    assert!(read(&[trailer(TRAILER_BYTES_MAX - 10).as_bytes()]).is_ok());
    assert!(read(&[trailer(TRAILER_BYTES_MAX).as_bytes()]).is_err());
    assert!(read(&["0\r\na: ".as_bytes(), "x".repeat(TRAILER_BYTES_MAX).as_bytes()]).is_err());
}

proptest! {
    #[test]
    fn what_was_cut_into_chunks_comes_out_whole(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut message = Vec::new();
        for chunk in &chunks {
            message.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            message.extend_from_slice(chunk);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"0\r\n\r\nHTTP/1.1");
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([message.len()]) {
            pieces.push(&message[from..cut]);
            from = cut;
        }
        let (data, trailers, rest, state) = read(&pieces).unwrap();
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!((trailers, &rest[..], state), (None, &b"HTTP/1.1"[..], Chunked::Over));
    }

    #[test]
    fn soup_never_panics_and_never_gives_more_than_came(
        soup in prop::collection::vec(prop::sample::select(b"0123aF;: x\r\n".to_vec()), 0..60),
    ) {
        if let Ok((data, _, rest, _)) = read(&[&soup]) {
            prop_assert!(data.len() + rest.len() <= soup.len());
        }
    }
}
