//! The protocol as a whole: against a Redis of the tests with virtual time, and that one against the real one.

mod board;
mod cost;
mod probe;
mod protocol;
mod scripts;
mod wire;
mod world;

pub(super) use self::cost::cpu;
pub(super) use self::wire::patient;
