//! From a model name to an answer: routes, picks, attempts, and the body that holds the lease.

mod attempt;
mod call_id;
mod deployment;
mod dispatch;
mod headers;
mod leased_body;
mod observer;
mod physical;
mod probe;
mod served;
mod table;

pub use call_id::CallId;
pub use deployment::{Deployment, NotUsable};
pub use dispatch::{Call, Content, Router};
pub use leased_body::{BrokenOff, LeasedBody};
pub use observer::{AttemptEnd, AttemptStart, Observer};
pub use probe::Probe;
pub use served::{CALL_ID, Facts, Served};
pub use table::{ModelGroup, Route, Table};
