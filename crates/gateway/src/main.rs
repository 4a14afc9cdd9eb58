//! The `leastbusy` command.

fn main() {}
