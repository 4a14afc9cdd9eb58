//! An LLM gateway that sends each request to the least busy deployment.
//!
//! From bottom to top: what the program is told ([`config`], [`provider`]) and the wire format
//! ([`openai`]); calling deployments ([`upstream`], [`simulated`]), what several gateways know together
//! ([`shared`]) and choosing among deployments ([`router`]); the door ([`front`]), what is told about it all
//! ([`telemetry`]), and running it ([`serve`], [`demo`], [`sim`], [`cli`]). A module imports from its own
//! floor or from below.

mod duration;
mod likeness;
mod moment;
mod roots;
mod strategy;
mod wildcard;

pub mod config;
pub mod openai;
pub mod provider;

pub mod engine_load;
pub mod shared;
pub mod simulated;
pub mod upstream;

pub mod router;

pub mod front;
pub mod telemetry;

mod load;

pub mod cli;
pub mod demo;
pub mod serve;
pub mod sim;

/// The examples of `docs/library.md` compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryPage;
