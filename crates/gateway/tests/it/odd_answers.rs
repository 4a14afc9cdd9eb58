//! Answers that HTTP/1.1 allows but few send, and such that two readers may understand in two ways.

use super::client::{CHAT, chat, post};
use super::gateway::Gateway;
use super::script::{Upstream, answers};

/// How the gateway answers two requests when the deployment answers each with these bytes, and how many
/// connections that took.
async fn twice(bytes: &[u8]) -> (u16, String, usize) {
    let upstream = Upstream::playing(answers(0).raw(bytes)).await;
    let gateway = Gateway::before(&upstream.base());
    let first = post(&gateway, CHAT, &chat("m")).await;
    let second = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert!(first.header("content-length").is_none_or(|length| length == first.body.len().to_string()));
    assert!(first.header("transfer-encoding").is_none_or(|encoding| encoding == "chunked"));
    (first.status, first.text().to_owned(), upstream.connections())
}

#[tokio::test]
async fn answers_that_few_send_are_understood_and_leave_the_connection_of_use() {
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n{}",
        "HTTP/1.1 200\r\ntransfer-encoding: CHUNKED\r\n\r\n01;a=\"b\"\r\n{\r\n1 \r\n}\r\n0\r\nx-sum: 1\r\n\r\n",
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        assert_eq!(twice(answer.as_bytes()).await, (200, "{}".to_owned(), 1), "{answer}");
    }
}

#[tokio::test]
async fn behind_an_answer_that_may_be_two_nothing_is_read() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        assert_eq!(twice(answer.as_bytes()).await, (200, "{}".to_owned(), 2), "{answer}");
    }
}

#[tokio::test]
async fn answers_whose_end_is_unclear_are_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
    ] {
        let (status, body, _) = twice(answer.as_bytes()).await;
        assert_eq!(status, 502, "{answer}: {body}");
    }
}
