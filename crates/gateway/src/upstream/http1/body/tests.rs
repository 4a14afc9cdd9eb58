use bytes::BytesMut;

use super::{Decoder, Found, Framing};

fn data(decoder: &mut Decoder, buffer: &mut BytesMut) -> Option<Vec<u8>> {
    match decoder.next(buffer).unwrap()? {
        Found::Data(data) => Some(data.to_vec()),
        Found::Trailers(trailers) => panic!("{trailers:?}"),
    }
}

#[test]
fn a_body_of_known_length_takes_its_bytes_and_no_more() {
    let mut decoder = Decoder::new(Framing::Length(5));
    let mut buffer = BytesMut::from("abc");
    assert_eq!(data(&mut decoder, &mut buffer), Some(b"abc".to_vec()));
    assert_eq!((decoder.left(), decoder.is_over()), (Some(2), false));
    assert_eq!(data(&mut decoder, &mut buffer), None);
    assert!(decoder.close().is_err(), "it broke off");
    buffer.extend_from_slice(b"deHTTP");
    assert_eq!(data(&mut decoder, &mut buffer), Some(b"de".to_vec()));
    assert!(decoder.is_over());
    assert_eq!((data(&mut decoder, &mut buffer), &buffer[..]), (None, &b"HTTP"[..]));
    assert!(Decoder::new(Framing::Length(0)).is_over());
}

#[test]
fn a_body_until_the_end_takes_all() {
    let mut decoder = Decoder::new(Framing::UntilClosed);
    let mut buffer = BytesMut::from("abc");
    assert_eq!(data(&mut decoder, &mut buffer), Some(b"abc".to_vec()));
    assert_eq!((data(&mut decoder, &mut buffer), decoder.is_over(), decoder.left()), (None, false, None));
    decoder.close().unwrap();
    assert!(decoder.is_over());
}

#[test]
fn a_chunked_body_that_ends_without_its_last_chunk_broke_off() {
    for (text, is_whole) in
        [("", false), ("1\r\na\r\n", false), ("1\r\na\r\n0\r\n", false), ("0\r\n\r\n", true)]
    {
        let mut decoder = Decoder::new(Framing::Chunked);
        let mut buffer = BytesMut::from(text);
        while data(&mut decoder, &mut buffer).is_some() {}
        assert_eq!((decoder.close().is_ok(), decoder.is_over()), (is_whole, is_whole), "{text}");
    }
}
