//! The gateway on real sockets, between scripted upstreams and a client that may do anything.

#![expect(
    clippy::disallowed_methods,
    reason = "a test's tasks end with its runtime, and nobody but the test waits for them"
)]
#![expect(clippy::unwrap_used, reason = "a failure in a test's scenery is a failure of the test")]

// The scenery: what plays the client, the upstream and the gateway.
mod client;
mod gateway;
mod pipe;
#[path = "../redis_kit/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the kit does more than these tests need")]
mod redis_kit;
mod script;
mod wire;

mod access;
mod affinity;
mod balance;
mod beginnings;
mod bytes;
mod cooldowns;
mod door;
mod endings;
mod endpoints;
mod engine_load;
mod fallbacks;
mod filters;
mod forms;
mod headers;
mod health_checks;
mod hedges;
mod keys;
mod keys_file;
mod leaving;
mod odd_answers;
mod pages;
mod process;
mod queue;
mod replay;
mod resent;
mod retries;
mod shared_counts;
mod soak;
mod stopping;
mod strategies;
mod streams;
mod strict;
mod strict_queue;
mod timeouts;
mod tls;
mod usage;
