//! Where a deployment listens: scheme, host and port.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use http::uri::Authority;
use rustls::pki_types::ServerName;

/// One upstream address, shared by all deployments that live there.
#[derive(Debug)]
pub struct Origin {
    /// Its place in every worker's [`Pool`](super::Pool).
    pub(super) index: usize,
    /// `host:port` as it goes into `:authority`.
    pub(super) authority: Authority,
    /// `host:port` as it goes into `Host`.
    pub(super) host_header: HeaderValue,
    pub(super) host: String,
    pub(super) port: u16,
    /// The name the certificate must carry; `None` for plain HTTP.
    pub(super) tls: Option<ServerName<'static>>,
    connections: AtomicUsize,
    connections_max: usize,
}

/// Why a base URL is no origin.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// Not `http://` or `https://`.
    #[error("the base URL needs http:// or https:// in front")]
    Scheme,
    /// No host, or one that no certificate can carry.
    #[error("the base URL needs a host name or an IP address")]
    Host,
}

impl Origin {
    /// The origin of `uri`, with room for `connections_max` connections at once.
    ///
    /// # Errors
    ///
    /// [`OriginError`] when the scheme is neither `http` nor `https`, or there is no usable host.
    pub fn new(uri: &http::Uri, index: usize, connections_max: usize) -> Result<Self, OriginError> {
        let authority = uri.authority().ok_or(OriginError::Host)?;
        let host = authority.host();
        let bare_host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (port, tls) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => {
                let name = ServerName::try_from(bare_host.clone()).map_err(|_| OriginError::Host)?;
                (443, Some(name))
            }
            _ => return Err(OriginError::Scheme),
        };
        let without_userinfo = match authority.port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            index,
            authority: without_userinfo.parse().map_err(|_| OriginError::Host)?,
            host_header: HeaderValue::from_str(&without_userinfo).map_err(|_| OriginError::Host)?,
            host: bare_host,
            port: authority.port_u16().unwrap_or(port),
            tls,
            connections: AtomicUsize::new(0),
            connections_max,
        })
    }

    pub(super) fn scheme(&self) -> http::uri::Scheme {
        if self.tls.is_some() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP }
    }

    /// Whether both lead to the same server in the same way.
    #[must_use]
    pub fn is_same_address(&self, other: &Self) -> bool {
        (&self.host, self.port, self.tls.is_some()) == (&other.host, other.port, other.tls.is_some())
    }

    /// Connections open to this origin now, from all workers.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A place for one more connection; `None` when `max_upstream_connections` are open.
    pub(super) fn admit(self: &Arc<Self>) -> Option<OpenConnection> {
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < self.connections_max).then_some(open + 1)
            })
            .ok()
            .map(|_| OpenConnection(Arc::clone(self)))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}

/// One open connection, counted until it is dropped.
#[derive(Debug)]
pub(super) struct OpenConnection(Arc<Origin>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
