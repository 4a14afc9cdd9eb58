//! What several gateways know together, kept in Redis.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the task that exchanges counts is what drives this, and it is not here yet")
)]

pub(crate) mod store;
