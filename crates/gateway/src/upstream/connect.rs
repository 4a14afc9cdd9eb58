//! Opening a connection: TCP, TLS, and the protocol both sides agree on.

use std::io;
use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::body::RequestBody;
use super::http1::Connection;
use super::origin::{OpenConnection, Origin};
use super::stream::Stream;
use super::tls;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("max_upstream_connections are open to this address")]
    Limit,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] hyper::Error),
}

/// A fresh connection, in the protocol the upstream chose.
pub(super) enum Fresh {
    Http1(Box<Connection>),
    /// hyper's own side of HTTP/1.1.
    Streaming(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

/// Opens a connection; `for_stream` says that what it carries first is still arriving from the client.
pub(super) async fn connect(origin: &Arc<Origin>, for_stream: bool) -> Result<Fresh, ConnectError> {
    let open = origin.admit().ok_or(ConnectError::Limit)?;
    let plain = TcpStream::connect((origin.host.as_str(), origin.port)).await?;
    plain.set_nodelay(true)?;
    let stream = match &origin.tls {
        None => Stream::Plain(plain),
        Some(name) => {
            let connector = TlsConnector::from(tls::client_config());
            Stream::Tls(Box::new(connector.connect(name.clone(), plain).await?))
        }
    };
    if stream.is_http2() {
        return handshake_http2(stream, open).await;
    }
    if for_stream {
        return handshake_http1(stream, open).await;
    }
    Ok(Fresh::Http1(Box::new(Connection::new(stream, open))))
}

async fn handshake_http1(stream: Stream, open: OpenConnection) -> Result<Fresh, ConnectError> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    drive(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
        drop(open);
    });
    Ok(Fresh::Streaming(sender))
}

async fn handshake_http2(stream: Stream, open: OpenConnection) -> Result<Fresh, ConnectError> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream))
        .await?;
    drive(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
        drop(open);
    });
    Ok(Fresh::Http2(sender))
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends with its connection, which ends with the last lease on it"
)]
fn drive(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}
