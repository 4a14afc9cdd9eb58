//! Real redis-server processes for tests: one alone, a Cluster of six, Sentinels with what they watch.
//!
//! Each has a folder of its own, keeps nothing on disk, and is killed when the test forgets it, also by a panic.

mod certificates;
mod cluster;
mod sentinel;
mod server;

pub(crate) use certificates::Certificates;
pub(crate) use cluster::Cluster;
pub(crate) use sentinel::{SERVICE, Sentinels};
pub(crate) use server::{Server, eventually, free_port, information};
