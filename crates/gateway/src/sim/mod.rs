//! `leastbusy sim`: what a way of choosing would do, before anybody switches to it.

#[cfg_attr(not(test), expect(dead_code, reason = "the command that runs it is built beside it"))]
pub(crate) mod sockets;
