//! From a model name to an answer: routes, picks, attempts, and the body that holds the lease.

mod arriving;
mod attempt;
mod call_id;
mod content;
mod deployment;
mod dispatch;
mod failure;
mod headers;
mod hedge;
mod held;
mod leased_body;
mod model_group;
mod observer;
mod once;
mod physical;
mod probe;
mod queue;
pub(crate) mod rules;
mod served;
mod strictly;
mod table;
mod tokens;
mod watch;
mod ways;

pub use call_id::CallId;
pub use content::Content;
pub use deployment::{Deployment, NotUsable};
pub use dispatch::{Call, Router};
pub use leased_body::{BrokenOff, LeasedBody};
pub use model_group::{ModelGroup, Waiting};
pub use observer::{AttemptEnd, AttemptReason, AttemptStart, Observer, QueueEnd, QueueStay};
pub use probe::Probe;
pub use served::{CALL_ID, Facts, Served};
pub use table::{Route, Table};
pub use tokens::{Basis, Tokens};
pub use watch::{BYTES_A_TOKEN, TokensSeen};
