//! Strict mode: a place on a deployment is taken in Redis, for all instances in one step.

mod scripts;

#[cfg(test)]
mod tests;
