//! Opening a stream to one node: TCP, and TLS where it is wanted.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::RedisNode;

use super::error::StoreError;

/// A stream of bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to a node. It waits as long as the system does: whoever calls sets a time.
pub(super) async fn dial(
    node: &RedisNode,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, StoreError> {
    let failed = |source| StoreError::Connect { node: node.clone(), source };
    let plain = TcpStream::connect((node.host.as_str(), node.port)).await.map_err(failed)?;
    // A batch is one write, which must not wait for the acknowledgement of the one before.
    plain.set_nodelay(true).map_err(failed)?;
    let Some(tls) = tls else { return Ok(Box::new(plain)) };
    let no_tls = |source| StoreError::Handshake { node: node.clone(), source };
    let name = ServerName::try_from(node.host.clone()).map_err(io::Error::other).map_err(no_tls)?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, plain).await.map_err(no_tls)?))
}
