use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::AsyncWrite;

use super::{Outgoing, Pieces};

/// A side that takes so many bytes at a time, and waits after each.
struct Slow {
    taken: Vec<u8>,
    at_once: usize,
    waits: bool,
    flushed: bool,
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.waits = !self.waits;
        if self.waits {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let taken = bytes.len().min(self.at_once);
        self.taken.extend_from_slice(&bytes[..taken]);
        self.flushed = false;
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.poll_write(context, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-a", "1"),
        ("x-a", "2"),
        ("content-length", "9"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn sent(outgoing: &mut Outgoing, method: &Method, body: Option<Pieces>, at_once: usize) -> Vec<u8> {
    let path = "/v1/chat?a=b".parse().unwrap();
    outgoing.begin((method, &path, &HeaderValue::from_static("host:8000")), &headers(), body);
    assert!(!outgoing.is_over());
    let mut slow = Slow { taken: Vec::new(), at_once, waits: false, flushed: false };
    let mut context = Context::from_waker(Waker::noop());
    while outgoing.poll(Pin::new(&mut slow), &mut context).map(Result::unwrap).is_pending() {}
    assert!(outgoing.is_over() && slow.flushed);
    slow.taken
}

const HEAD: &str = " /v1/chat?a=b HTTP/1.1\r\nhost: host:8000\r\nx-a: 1\r\nx-a: 2\r\n";

#[test]
fn a_request_goes_out_byte_for_byte_however_slowly_it_is_taken() {
    let mut outgoing = Outgoing::default();
    let long: Vec<Bytes> = (0..200u32).map(|number| format!("piece {number};").repeat(2).into()).collect();
    let bodies: [Vec<Bytes>; 4] =
        [vec![], vec!["{}".into()], vec!["a".repeat(1500).into(), "b".repeat(1500).into()], long];
    for body in bodies {
        for at_once in [1, 7, 600, 4096, usize::MAX] {
            let expected = format!("POST{HEAD}content-length: {}\r\n\r\n", body.concat().len());
            let expected = [expected.as_bytes(), &body.concat()].concat();
            assert!(sent(&mut outgoing, &Method::POST, Some(body.clone().into()), at_once) == expected);
        }
    }
}

#[test]
fn a_request_without_a_body_says_nothing_of_its_length() {
    let expected = format!("GET{HEAD}\r\n");
    assert_eq!(sent(&mut Outgoing::default(), &Method::GET, None, 10), expected.as_bytes());
}

#[test]
fn what_was_given_up_is_over() {
    let mut outgoing = Outgoing::default();
    let path = "/".parse().unwrap();
    outgoing.begin((&Method::POST, &path, &HeaderValue::from_static("h")), &headers(), None);
    outgoing.give_up();
    assert!(outgoing.is_over());
}
