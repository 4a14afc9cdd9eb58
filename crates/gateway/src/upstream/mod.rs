//! Calling a deployment: addresses, connections, one exchange, and what its end means.

pub mod body;
pub mod classify;
mod connect;
pub(crate) mod gather;
mod heard;
pub mod origin;
pub mod pool;
pub mod send;
mod tls;
pub mod upload;

pub use body::RequestBody;
pub use origin::Origin;
pub use pool::{Checkout, Pool};
pub use send::{Exchange, Limits, SendError, Target};
pub use upload::Upload;
