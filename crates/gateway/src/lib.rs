//! An LLM gateway that sends each request to the least busy deployment.

pub mod config;
pub mod demo;
pub mod openai;
pub mod provider;
pub mod simulated;
