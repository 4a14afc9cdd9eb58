//! A server that is no Redis: whatever it says is an error, and none a panic.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// Says one thing on each connection as soon as it is asked anything, and then nothing any more.
async fn says(words: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&words).await;
            kept.push(stream);
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn nonsense_is_an_error_in_time() {
    let mut dice = fastrand::Rng::with_seed(5);
    let mut sayings: Vec<Vec<u8>> = [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+OK\r\n$-5\r\n",
        "+OK\r\n*-7\r\n",
        "+OK\r\n*99999999999999999999\r\n",
        "+OK\r\n$99999999999999\r\n",
        "+OK\r\n:notanumber\r\n",
        "+OK\r\n-\r\n",
        "-\r\n-\r\n-\r\n",
        "+OK\r\n+OK\r\n",
        "$3\r\n\u{1F980}",
        "",
    ]
    .map(|words| words.as_bytes().to_vec())
    .into();
    sayings.push(b"*1\r\n".repeat(10_000));
    for _ in 0..40 {
        let marks = b"*$+-:%~>_#,(=\r\n0123456789-ab\xff";
        sayings.push((0..dice.usize(1..80)).map(|_| marks[dice.usize(..marks.len())]).collect());
    }
    for words in sayings {
        let (address, _tasks) = says(words.clone()).await;
        let mut target = target(Topology::Standalone(node(address.port())));
        target.connect_timeout = Duration::from_millis(30);
        target.response_timeout = Duration::from_millis(30);
        let mut store = Store::new(target).unwrap();
        let (_, took, text) = fails(&mut store).await;
        let shown = String::from_utf8_lossy(&words);
        assert!(took < Duration::from_millis(60) + SLACK, "{took:?} for {shown:?}: {text}");
    }
}

#[tokio::test]
async fn a_wrong_shape_is_not_read_as_something_else() {
    let one = || Value::Int(1);
    assert_eq!(reply::integer(&one()).unwrap(), 1);
    assert_eq!(reply::list(Value::Array(vec![one()])).unwrap(), [one()]);
    assert_eq!(reply::bytes(Value::BulkString(vec![0xff])).unwrap(), Some(vec![0xff]));
    assert_eq!(reply::bytes(Value::Nil).unwrap(), None);
    let wrong = [
        reply::integer(&Value::BulkString(b"1".to_vec())).err(),
        reply::integer(&Value::Nil).err(),
        reply::bytes(one()).err(),
        reply::bytes(Value::Okay).err(),
        reply::text(Value::Nil).err(),
        reply::text(Value::BulkString(vec![0xff])).err(),
        reply::list(Value::Nil).err(),
        reply::list(one()).err(),
    ];
    for error in wrong {
        assert_eq!(error.unwrap().kind(), "protocol");
    }
}
