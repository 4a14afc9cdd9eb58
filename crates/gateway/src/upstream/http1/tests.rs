use std::io;

use super::*;
use crate::upstream::origin::Origin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A connection, and its other end.
async fn pair() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let origin = Arc::new(Origin::new(&uri, 0, 1).unwrap());
    let open = origin.admit().unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Connection::new(Stream::Plain(stream), open), listener.accept().await.unwrap().0)
}

fn begin(connection: &mut Connection, body: Option<Bytes>) {
    let path = PathAndQuery::from_static("/");
    let host = HeaderValue::from_static("h");
    connection.begin((&Method::POST, &path, &host), &HeaderMap::new(), body.map(Pieces::from));
}

async fn body(connection: &mut Connection) -> Result<Vec<u8>, Broken> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| connection.poll_frame(context)).await {
        all.extend_from_slice(&frame?.into_data().expect("no trailers"));
    }
    Ok(all)
}

/// Answers a request without a body with these bytes, as many at a time.
async fn answered(answer: &[u8], at_once: usize) -> (Connection, TcpStream, Result<response::Parts, Broken>) {
    let (mut connection, mut other) = pair().await;
    other.set_nodelay(true).unwrap();
    begin(&mut connection, None);
    let (head, ()) = tokio::join!(connection.head(), async {
        let mut request = [0; 100];
        assert!(0 < other.read(&mut request).await.unwrap());
        for bytes in answer.chunks(at_once) {
            other.write_all(bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    (connection, other, head)
}

#[tokio::test]
async fn an_answer_leaves_the_connection_ready_for_the_next() {
    for at_once in [1, 1000] {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        let (mut connection, mut other, head) = answered(answer, at_once).await;
        assert_eq!(head.unwrap().status, 200);
        assert_eq!(body(&mut connection).await.unwrap(), b"{}");
        assert!(connection.is_reusable() && connection.is_idle());
        begin(&mut connection, Some("again".into()));
        let (head, ()) = tokio::join!(connection.head(), async {
            let mut request = vec![0; 100];
            let length = other.read(&mut request).await.unwrap();
            assert!(request[..length].ends_with(b"content-length: 5\r\n\r\nagain"));
            other.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        });
        assert_eq!(head.unwrap().status, 204);
        assert!(connection.is_over() && connection.is_reusable());
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
                   HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    for at_once in [1, 7, 1000] {
        let (mut connection, _other, head) = answered(answer, at_once).await;
        let head = head.unwrap();
        assert_eq!((head.status.as_u16(), head.headers.len()), (200, 1));
        assert_eq!(body(&mut connection).await.unwrap(), b"{}");
        assert!(connection.is_reusable());
    }
    let (_, _, head) = answered(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", 1000).await;
    assert!(matches!(head, Err(Broken::Answer(_))), "{head:?}");
}

#[tokio::test]
async fn what_comes_behind_an_answer_spoils_the_connection() {
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (mut connection, mut other, _) = answered(answer, 1000).await;
    assert_eq!(body(&mut connection).await.unwrap(), b"{}");
    assert!(!connection.is_reusable());

    // Later, it is seen when the connection is to be used again.
    let (mut connection, mut late, _) = answered(&answer[..40], 1000).await;
    assert_eq!(body(&mut connection).await.unwrap(), b"{}");
    assert!(connection.is_reusable() && connection.is_idle());
    late.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
    let Stream::Plain(stream) = &connection.stream else { unreachable!("the pair is plain") };
    stream.readable().await.unwrap();
    assert!(!connection.is_idle());
    other.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_is_not_idle() {
    let (mut connection, other) = pair().await;
    assert!(connection.is_idle());
    drop(other);
    let Stream::Plain(stream) = &connection.stream else { unreachable!("the pair is plain") };
    stream.readable().await.unwrap();
    assert!(!connection.is_idle());
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_read_while_the_rest_goes_out() {
    // More than the system holds for a side that does not read.
    let long = Bytes::from(vec![b'x'; 16 << 20]);
    let (mut connection, mut other) = pair().await;
    begin(&mut connection, Some(long.clone()));
    let early = async {
        let mut some = [0; 1000];
        other.read_exact(&mut some).await.unwrap();
        other.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
        other
    };
    let (head, mut other) = tokio::join!(connection.head(), early);
    assert_eq!(head.unwrap().status, 200);
    let frame = std::future::poll_fn(|context| connection.poll_frame(context)).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "one");
    assert!(!connection.outgoing.is_over());
    // The other side wants the whole request before it goes on.
    let rest = async {
        let mut count = 1000;
        let mut some = vec![0; 1 << 16];
        while count < long.len() {
            count += other.read(&mut some).await.unwrap();
        }
        other.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
        other
    };
    let (rest, _other) = tokio::join!(body(&mut connection), rest);
    assert_eq!(rest.unwrap(), b"two");
    assert!(connection.is_reusable());
}

#[tokio::test]
async fn an_early_answer_to_a_request_that_nobody_reads_counts_and_closes() {
    let (mut connection, mut other) = pair().await;
    begin(&mut connection, Some(vec![b'x'; 16 << 20].into()));
    let refuse = async {
        let mut some = [0; 1000];
        other.read_exact(&mut some).await.unwrap();
        other.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    };
    let (head, ()) = tokio::join!(connection.head(), refuse);
    assert_eq!(head.unwrap().status, 413);
    assert_eq!(body(&mut connection).await.unwrap(), b"{}");
    assert!(connection.is_over() && !connection.is_reusable());
}

#[tokio::test]
async fn a_side_that_stops_reading_may_still_answer() {
    let (mut connection, mut other) = pair().await;
    other.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let Stream::Plain(stream) = &mut connection.stream else { unreachable!("the pair is plain") };
    stream.shutdown().await.unwrap();
    begin(&mut connection, Some("{}".into()));
    assert_eq!(connection.head().await.unwrap().status, 503);
    assert!(!connection.is_reusable());
}

#[tokio::test]
async fn a_connection_that_ends_says_whether_anything_was_heard() {
    for (heard, is_nothing) in [("", true), ("H", false), ("HTTP/1.1 200 OK\r\ncontent-le", false)] {
        let (mut connection, mut other) = pair().await;
        begin(&mut connection, None);
        let ended = async move {
            other.write_all(heard.as_bytes()).await.unwrap();
            other.shutdown().await.unwrap();
            other
        };
        let (head, _other) = tokio::join!(connection.head(), ended);
        assert!(matches!(head, Err(Broken::Closed)), "{head:?}");
        assert_eq!(connection.has_heard_nothing(), is_nothing, "{heard}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    for (answer, is_whole) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", false),
        ("HTTP/1.1 200 OK\r\n\r\n{}", true),
    ] {
        let (mut connection, other, head) = answered(answer.as_bytes(), 1000).await;
        assert_eq!(head.unwrap().status, 200);
        drop(other);
        let all = body(&mut connection).await;
        assert_eq!(all.is_ok(), is_whole, "{all:?}");
        assert!(!connection.is_reusable());
    }
}

#[tokio::test]
async fn long_answers_are_read_in_growing_pieces_and_come_out_whole() {
    let text: Vec<u8> = (0..3_000_000u32).flat_map(|number| (number as u16).to_le_bytes()).collect();
    let (mut connection, mut other) = pair().await;
    begin(&mut connection, None);
    let expected = text.clone();
    let answers = async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
        other.write_all(head.as_bytes()).await?;
        other.write_all(&text).await?;
        io::Result::Ok(other)
    };
    let reads = async {
        connection.head().await.unwrap();
        body(&mut connection).await.unwrap()
    };
    let (all, other) = tokio::join!(reads, answers);
    assert!(other.is_ok() && all == expected);
    assert!(connection.is_reusable());
    connection.rest();
    assert_eq!(connection.incoming.capacity(), 0);
}
