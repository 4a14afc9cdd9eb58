//! What the gateway tells about itself: metrics, access lines, logs. Nothing is decided here.

pub mod access;
pub mod lines;
pub mod log;
pub mod metrics;
