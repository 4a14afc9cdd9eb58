//! Opening a connection: TCP, TLS, and the protocol both sides agree on.

use std::io;
use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::body::RequestBody;
use super::heard::{Heard, Listening};
use super::origin::{OpenConnection, Origin};
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
    Http1(http1::SendRequest<RequestBody>, Heard),
    Http2(http2::SendRequest<RequestBody>),
}

pub(super) async fn connect(origin: &Arc<Origin>) -> Result<Fresh, ConnectError> {
    let open = origin.admit().ok_or(ConnectError::Limit)?;
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await?;
    stream.set_nodelay(true)?;
    let Some(name) = &origin.tls else {
        return handshake_http1(stream, open).await;
    };
    let stream = TlsConnector::from(tls::client_config()).connect(name.clone(), stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        handshake_http2(stream, open).await
    } else {
        handshake_http1(stream, open).await
    }
}

async fn handshake_http1<S>(stream: S, open: OpenConnection) -> Result<Fresh, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let heard = Heard::default();
    let stream = Listening { stream, heard: heard.clone() };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    drive(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
        drop(open);
    });
    Ok(Fresh::Http1(sender, heard))
}

async fn handshake_http2<S>(stream: S, open: OpenConnection) -> Result<Fresh, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
