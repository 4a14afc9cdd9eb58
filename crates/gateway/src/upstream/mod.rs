//! Calling a deployment: addresses, connections, one exchange, and what its end means.

pub mod answer;
pub mod body;
mod checkout;
pub mod classify;
mod connect;
pub(crate) mod gather;
mod http1;
pub mod origin;
pub mod pool;
pub mod send;
mod stream;
mod tls;
pub mod upload;

pub use answer::Answer;
pub use body::RequestBody;
pub use checkout::Broken;
pub use origin::Origin;
pub use pool::Pool;
pub use send::{Exchange, Limits, SendError, Target};
pub use upload::Upload;
