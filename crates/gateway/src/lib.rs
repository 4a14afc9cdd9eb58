//! An LLM gateway that sends each request to the least busy deployment.
