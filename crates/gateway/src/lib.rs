//! An LLM gateway that sends each request to the least busy deployment.

pub mod config;
pub mod demo;
pub mod openai;
mod likeness;
pub mod provider;
pub mod simulated;
